package main

import (
	"fmt"
	"io"
	"math"
)

// scaleRow is a line of the table in which each number of kept runs has a column.
type scaleRow struct {
	what   string
	digits int
	figure func(scale) float64
}

func scaleRows() []scaleRow {
	return []scaleRow{
		{"listing them through the API, s", 2, func(s scale) float64 { return s.List }},
		{"restart: the operator's start → first new Job, s", 2, func(s scale) float64 { return s.Restart }},
		{"restart: until nothing is left to do, s", 0, func(s scale) float64 {
			if !s.HasSettled {
				return math.Inf(1)
			}
			return s.Settle
		}},
		{"restart: CPU time until then, s", 2, func(s scale) float64 { return s.StartCPU }},
		{"restart: API requests until then", 0, func(s scale) float64 { return s.StartRequests.sum() }},
		{"failover: the leader's end → first new Job, s", 2, func(s scale) float64 { return s.Failover }},
		{"failover: of that, with the Lease, s", 2, func(s scale) float64 { return s.BeyondLease }},
		{"memory, MiB", 0, func(s scale) float64 { return s.RSSMiB }},
		{"peak memory, MiB", 0, func(s scale) float64 { return s.PeakMiB }},
		{"of the memory, heap in use, MiB", 0, func(s scale) float64 { return s.HeapMiB }},
		{"idle: CPU time, ms a minute", 0, func(s scale) float64 { return s.IdleCPU }},
		{"one by one: CPU time for each new run, ms", 2, func(s scale) float64 { return s.CPU }},
		{"one by one: TestRun → its Job, p50, ms", 1, func(s scale) float64 { return s.UntilJob.P50 }},
		{"one by one: TestRun → its Job, p99, ms", 1, func(s scale) float64 { return s.UntilJob.P99 }},
	}
}

// printScale also says by how much memory grows with each run from one number to the next.
func printScale(table io.Writer, scales []scale) {
	fmt.Fprint(table, "\nFINISHED RUNS KEPT")
	for _, s := range scales {
		fmt.Fprintf(table, "\t%d", s.Kept)
	}
	fmt.Fprintln(table)
	for _, row := range scaleRows() {
		fmt.Fprint(table, row.what)
		for _, s := range scales {
			fmt.Fprintf(table, "\t%.*f", row.digits, row.figure(s))
		}
		fmt.Fprintln(table)
	}
	printGrowth(table, "memory for each further run, KiB", scales, func(s scale) float64 { return s.RSSMiB })
	printGrowth(table, "heap for each further run, KiB", scales, func(s scale) float64 { return s.HeapMiB })
}

func printGrowth(table io.Writer, what string, scales []scale, figure func(scale) float64) {
	fmt.Fprint(table, what, "\t")
	for i := 1; i < len(scales); i++ {
		fmt.Fprintf(table, "\t%.1f", perKept(scales[i-1], scales[i], figure))
	}
	fmt.Fprintln(table)
}
