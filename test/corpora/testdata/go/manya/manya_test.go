package manya

import "testing"

func TestOpens(t *testing.T) { t.Parallel() }
func TestIsNotB(t *testing.T) {
	if "a" == "b" {
		t.Error("it is")
	}
}
