package results

import (
	"testing"
	"time"
)

func TestCutTime(t *testing.T) {
	tests := map[string]struct {
		title string
		took  time.Duration
		ok    bool
	}{
		"adds numbers in 12ms":                   {"adds numbers", 12 * time.Millisecond, true},
		"waits in line in 0ms":                   {"waits in line", 0, true},
		"adds numbers":                           {"", 0, false},
		"answers in time":                        {"", 0, false},
		"answers in ms":                          {"", 0, false},
		"answers in -1ms":                        {"", 0, false},
		"answers in 1.5ms":                       {"", 0, false},
		"answers in 99999999999999ms":            {"", 0, false},
		"answers in 9999999999999999999999999ms": {"", 0, false},
	}
	for name, want := range tests {
		title, took, ok := CutTime(name)
		if ok != want.ok || ok && (title != want.title || took != want.took) {
			t.Errorf("%s: %q, %s, %t", name, title, took, ok)
		}
	}
}
