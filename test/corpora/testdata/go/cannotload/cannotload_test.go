package cannotload

import (
	"testing"

	_ "example.org/nowhere"
)

func TestOne(t *testing.T) {}
