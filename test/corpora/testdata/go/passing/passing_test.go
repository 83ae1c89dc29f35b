package passing

import "testing"

func TestOpens(t *testing.T)  {}
func TestAddsUp(t *testing.T) { t.Log("1 + 1 = 2") }
