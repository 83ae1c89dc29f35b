package kit

import (
	"context"
	"net"
	"testing"
	"time"
)

// Pause waits, unless the context ends before.
func Pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// askEach is how often WaitUntil asks.
const askEach = 50 * time.Millisecond

// WaitUntil asks until the answer is yes, which it returns, or until the context ends.
func WaitUntil(ctx context.Context, ask func() bool) bool {
	for !ask() {
		if ctx.Err() != nil {
			return false
		}
		Pause(ctx, askEach)
	}
	return true
}

// FreeAddress is an address at which nobody listens.
func FreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
