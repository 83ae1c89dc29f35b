package leaves

import (
	"os"
	"testing"
)

func TestBefore(t *testing.T) {}
func TestLeaves(t *testing.T) { os.Exit(3) }
func TestAfter(t *testing.T)  {}
