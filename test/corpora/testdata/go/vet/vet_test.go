package vet

import (
	"fmt"
	"testing"
)

func TestOne(t *testing.T) { fmt.Printf("%d\n", "one") }
