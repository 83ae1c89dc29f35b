package kinds

import (
	"fmt"
	"testing"
)

func Example() {
	fmt.Println("one")
	// Output: one
}

func Example_fails() {
	fmt.Println("one")
	// Output: two
}

func FuzzSeeds(f *testing.F) {
	f.Add(1)
	f.Add(2)
	f.Fuzz(func(t *testing.T, n int) {
		if n == 2 {
			t.Error("two")
		}
	})
}

func BenchmarkOne(b *testing.B) {
	for b.Loop() {
	}
}

func TestOne(t *testing.T) {}
