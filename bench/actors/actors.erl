%% The same measurements as project/src/actors.lua: erl -noshell -s actors main WHAT AMOUNT.
-module(actors).
-export([main/1, waiter/0, counter/2]).

main([What, Amount]) ->
    N = list_to_integer(atom_to_list(Amount)),
    io:format("result ~b~n", [round(run(What, N))]),
    halt(0).

now_ns() -> erlang:monotonic_time(nanosecond).

waiter() ->
    receive
        {From, Topic} ->
            From ! {self(), Topic},
            waiter()
    end.

counter(Parent, 0) -> Parent ! counted;
counter(Parent, N) ->
    receive
        {_From, count, _} -> counter(Parent, N - 1)
    end.

answers(0) -> ok;
answers(N) ->
    receive
        {_, ping} -> answers(N - 1)
    end.

spawn_all(N) -> [spawn(?MODULE, waiter, []) || _ <- lists:seq(1, N)].

ask_all(Pids) ->
    Self = self(),
    [P ! {Self, ping} || P <- Pids],
    answers(length(Pids)).

run(spawn, N) ->
    Begun = now_ns(),
    ask_all([lists:last(spawn_all(N))]),
    (now_ns() - Begun) / N;
run(monitored, N) ->
    Begun = now_ns(),
    [spawn_monitor(fun() -> 1 end) || _ <- lists:seq(1, N)],
    ends(N),
    now_ns() - Begun;
run(pingpong, N) ->
    Pid = spawn(?MODULE, waiter, []),
    Begun = now_ns(),
    pingpong(Pid, N),
    (now_ns() - Begun) / N;
run(send, N) ->
    Pid = spawn(?MODULE, counter, [self(), N]),
    Begun = now_ns(),
    send(Pid, N),
    receive counted -> ok end,
    (now_ns() - Begun) / N;
run(crowd, N) ->
    Begun = now_ns(),
    ask_all(spawn_all(N)),
    now_ns() - Begun;
run(idle, N) ->
    io:format("before~n"),
    io:get_line(""),
    ask_all(spawn_all(N)),
    erlang:garbage_collect(),
    io:format("after~n"),
    io:get_line(""),
    0;
run(stall, N) ->
    Pids = spawn_all(N),
    ask_all(Pids),
    Begun = now_ns(),
    stall(Pids, Pids, Begun, Begun + 4000000000, 0).

ends(0) -> ok;
ends(N) ->
    receive
        {'DOWN', _, process, _, _} -> ends(N - 1)
    end.

pingpong(_, 0) -> ok;
pingpong(Pid, N) ->
    Pid ! {self(), ping},
    receive
        {Pid, ping} -> pingpong(Pid, N - 1)
    end.

send(_, 0) -> ok;
send(Pid, N) ->
    Pid ! {self(), count, N},
    send(Pid, N - 1).

stall(_, _, Before, Until, Worst) when Before >= Until -> Worst;
stall(All, Pids, Before, Until, Worst) ->
    {Some, Rest} = lists:split(16, Pids),
    ask_all(Some),
    After = now_ns(),
    Next = case Rest of
               [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _ | _] -> Rest;
               _ -> All
           end,
    stall(All, Next, After, Until, max(Worst, After - Before)).
