package testrun

import (
	"testing"
	"time"
)

func TestSlowWritesShareOneLaneWithARest(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := start.Add
	write := func(p *pace, namespace string, began, ended time.Duration) {
		t.Helper()
		end, ok := p.begin(namespace, at(began))
		if !ok {
			t.Fatalf("%s may not write after %s", namespace, began)
		}
		end(at(ended))
	}
	refused := func(p *pace, namespace string, began time.Duration) {
		t.Helper()
		if _, ok := p.begin(namespace, at(began)); ok {
			t.Errorf("%s may write after %s", namespace, began)
		}
	}
	p := newPace()
	write(p, "large", 0, time.Second) // nobody knows yet
	write(p, "huge", 0, time.Second)
	write(p, "small", 0, time.Millisecond)

	end, ok := p.begin("large", at(time.Second))
	if !ok {
		t.Fatal("the lane is free, and nothing rests")
	}
	refused(p, "huge", 1500*time.Millisecond)
	write(p, "small", 1500*time.Millisecond, 1501*time.Millisecond)
	end(at(2 * time.Second))

	refused(p, "large", 2900*time.Millisecond) // a second's write is followed by a second's rest
	write(p, "huge", 3*time.Second, 3010*time.Millisecond)
	write(p, "huge", 3011*time.Millisecond, 4*time.Second) // its last write was fast
}
