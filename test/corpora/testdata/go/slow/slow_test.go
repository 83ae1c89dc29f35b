package slow

import (
	"testing"
	"time"
)

func TestBefore(t *testing.T) {}
func TestSlow(t *testing.T)   { t.Run("inside", func(*testing.T) { time.Sleep(time.Minute) }) }
