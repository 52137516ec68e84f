package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A node that has just come up is told of its peers a moment later: until then a peer must not be refused for good.
func TestAPeerThatIsNotKnownYet(t *testing.T) {
	begin := time.Now()
	left := func() time.Duration { return 300*time.Millisecond - time.Since(begin) }
	asked := 0
	route := func() (string, error) {
		if asked++; asked < 3 {
			return "", errOutside
		}
		return "100.64.0.7:80", nil
	}
	if target, err := untilSettled(context.Background(), left, route); target != "100.64.0.7:80" || err != nil || asked != 3 {
		t.Errorf("%q, %v after %d questions", target, err, asked)
	}
}

func TestWhatIsNoPeerIsRefused(t *testing.T) {
	for _, want := range []error{errOutside, errNoSuchName} {
		begin, asked := time.Now(), 0
		left := func() time.Duration { return 150*time.Millisecond - time.Since(begin) }
		route := func() (string, error) { asked++; return "", want }
		if _, err := untilSettled(context.Background(), left, route); !errors.Is(err, want) || asked < 2 || time.Since(begin) < 150*time.Millisecond {
			t.Errorf("%v after %d questions in %v", err, asked, time.Since(begin))
		}
		// One that has long been up: at once.
		asked = 0
		if _, err := untilSettled(context.Background(), left, route); !errors.Is(err, want) || asked != 1 {
			t.Errorf("%v after %d questions", err, asked)
		}
	}
	// Other errors are none that pass by themselves, and nobody waits longer than the client.
	other := errors.New("the exit node does not answer")
	never := func() time.Duration { return time.Hour }
	if _, err := untilSettled(context.Background(), never, func() (string, error) { return "", other }); !errors.Is(err, other) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := untilSettled(ctx, never, func() (string, error) { return "", errOutside }); !errors.Is(err, errOutside) {
		t.Error(err)
	}
}
