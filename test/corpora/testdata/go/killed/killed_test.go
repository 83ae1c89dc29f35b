package killed

import (
	"os"
	"testing"
	"time"
)

func TestBefore(t *testing.T) {}

func TestKilled(t *testing.T) {
	self, _ := os.FindProcess(os.Getpid())
	_ = self.Kill()
	time.Sleep(time.Minute)
}
