package flaky

import (
	"os"
	"testing"
)

func TestPassesOnItsSecondTry(t *testing.T) {
	if _, err := os.Stat("tried"); err != nil {
		_ = os.WriteFile("tried", nil, 0o600)
		t.Error("the first try")
	}
}

func TestSteady(t *testing.T) {}
