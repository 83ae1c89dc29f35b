package main

import (
	"strings"
	"testing"
)

func TestACurveHasTheRatiosToItsSmallestQueue(t *testing.T) {
	short, middle, long := size{10, 10}, size{10, 1000}, size{10, 10000}
	got := newCurve([]size{short, middle, long}, map[size]startCost{
		short:  {P50: 10, P90: 20, CPU: 4},
		middle: {P50: 11, P90: 30, CPU: 2, PerSecond: 100, FullSpeedCPU: 5},
		long:   {P50: 20, P90: 10, CPU: 6, PerSecond: 50, FullSpeedCPU: 6},
	})
	for i, want := range []startCost{
		{P50: 1, P90: 1, CPU: 1},
		{P50: 1.1, P90: 1.5, CPU: 0.5, PerSecond: 1, FullSpeedCPU: 1},
		{P50: 2, P90: 0.5, CPU: 1.5, PerSecond: 0.5, FullSpeedCPU: 1.2},
	} {
		if got[i].Ratio != want {
			t.Errorf("%d waiting: the ratios are %v, want %v", got[i].Waiting, got[i].Ratio, want)
		}
	}
	var table strings.Builder
	got.print(&table)
	if !strings.Contains(table.String(), "6.0 (1.20)") {
		t.Errorf("the table has no figure with its ratio:\n%s", table.String())
	}
}
