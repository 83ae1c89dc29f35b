package nested

import "testing"

func TestShop(t *testing.T) {
	t.Run("till", func(t *testing.T) {
		t.Run("opens", func(t *testing.T) {})
		t.Run("adds up", func(t *testing.T) { t.Error("no") })
	})
	t.Run("attic", func(t *testing.T) { t.Parallel(); t.Skip("dusty") })
	t.Run("cellar", func(t *testing.T) { t.Parallel() })
}

func TestParentFailsByItself(t *testing.T) {
	t.Run("child", func(t *testing.T) {})
	t.Error("the parent")
}

func TestParallel1(t *testing.T) { t.Parallel() }
func TestParallel2(t *testing.T) { t.Parallel(); t.Error("no") }
