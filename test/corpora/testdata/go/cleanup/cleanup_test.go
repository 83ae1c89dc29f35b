package cleanup

import "testing"

func TestCleanupFails(t *testing.T) {
	t.Cleanup(func() { t.Error("the drawer is stuck") })
	t.Run("child", func(t *testing.T) {})
}

func TestLogsWhenItHasEnded(t *testing.T) {
	t.Run("child", func(t *testing.T) { t.Cleanup(func() { t.Skip("too late?") }) })
}
