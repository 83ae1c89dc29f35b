package manyb

import "testing"

func TestOpens(t *testing.T) { t.Parallel() }
func TestIsNotB(t *testing.T) {
	if "b" == "b" {
		t.Error("it is")
	}
}
