-- Nobody may do anything here: strict mode, and no scope.
local system = require("system")
local check = require("check")

local function denied(words, v, err)
    check.failed(words, v, err, errors.INVALID, "permission denied: " .. words)
end

local function main()
    denied("system.exit", system.exit(7))
    denied("system.read on modules", system.modules())
    denied("system.read on memory", system.memory.stats())
    denied("system.read on memory", system.memory.allocated())
    denied("system.gc on gc", system.gc.collect())
    denied("system.read on goroutines", system.runtime.goroutines())
    denied("system.read on gomaxprocs", system.runtime.max_procs())
    denied("system.control on gomaxprocs", system.runtime.max_procs(2))
    denied("system.read on cpu", system.runtime.cpu_count())
    denied("system.read on pid", system.process.pid())
    denied("system.read on hostname", system.process.hostname())
    denied("system.read on cwd", system.process.cwd())
    denied("system.read on node", system.node.id())
    denied("system.read on hosts", system.hosts.list())
    denied("system.read on hosts", system.hosts.processes("app:terminal"))
    denied("system.read on memory_limit", system.memory.get_limit())
    denied("system.control on memory_limit", system.memory.set_limit(1))
    denied("system.read on gc_percent", system.gc.get_percent())
    denied("system.gc on gc_percent", system.gc.set_percent(1))
    denied("system.read on node", system.node.addr())
    denied("system.read on node", system.node.role())
    denied("system.read on cluster", system.cluster.members())
    denied("system.read on cluster", system.cluster.leader())
    denied("system.read on cluster", system.cluster.size())
    denied("system.read on raft", system.raft.term())
    denied("system.read on raft_stats", system.raft.stats())
    return check.over()
end

return { main = main }
