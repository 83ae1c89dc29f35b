package failing

import "testing"

func TestOpens(t *testing.T) {}

func TestAddsUp(t *testing.T) {
	t.Error("got 1\nwant 2")
	t.Fatal("and more")
}
