package manyc

import "testing"

func TestOpens(t *testing.T) { t.Parallel() }
func TestIsNotB(t *testing.T) {
	if "c" == "b" {
		t.Error("it is")
	}
}
