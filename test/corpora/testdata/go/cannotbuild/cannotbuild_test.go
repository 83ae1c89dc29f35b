package cannotbuild

import "testing"

func TestOne(t *testing.T) { var price int = "one" }
