package skipped

import "testing"

func TestSkipped(t *testing.T) { t.Skip("no printer") }
func TestRuns(t *testing.T)    {}

func TestSkippedInside(t *testing.T) {
	t.Run("runs", func(t *testing.T) {})
	t.Run("skipped", func(t *testing.T) { t.SkipNow() })
}
