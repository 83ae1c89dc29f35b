package panics

import "testing"

func TestBefore(t *testing.T) {}
func TestPanics(t *testing.T) { t.Run("inside", func(*testing.T) { panic("no database") }) }
func TestAfter(t *testing.T)  {}
