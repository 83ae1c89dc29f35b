package main

import "testing"

func TestASmallHeapIsCollectedLessOftenThanALargeOne(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{0: 400, 10 * mib: 400, 32 * mib: 200, 64 * mib: 100, 128 * mib: 50, 900 * mib: 50} {
		if got := gcPercent(live); got != want {
			t.Errorf("with %d MiB in use it is %d, want %d", live/mib, got, want)
		}
	}
}
