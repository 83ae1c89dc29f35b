package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// quantiles are of durations, in milliseconds.
type quantiles struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

func quantilesOf(durations []time.Duration) quantiles {
	slices.Sort(durations)
	return quantiles{len(durations), quantile(durations, 0.5), quantile(durations, 0.99)}
}

// quantile is the smallest of the sorted durations that at least that share of them does not exceed; 0 if there are none.
func quantile(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]) / float64(time.Millisecond)
}

// report is all that was measured.
type report struct {
	Settings  settings `json:"settings"`
	Load      string   `json:"loadBefore"`
	FirstPage struct {
		Bytes                     int64
		FirstByte, Whole, Painted quantiles
	} `json:"firstPage"`
	Output struct {
		FirstVisit, End, Search, SearchInVain, Scroll quantiles
	} `json:"output"`
	Crowd struct {
		Runs                    int
		RunsSecond, Processors  float64
		MemoryQuiet, MemoryPeak int64
		Heard, Shown            quantiles
		Events                  int64
		BytesOfEvent            float64
	} `json:"crowd"`
}

func (r *report) print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	defer func() { _ = table.Flush() }()
	line := func(what, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", what, fmt.Sprintf(format, args...))
	}
	both := func(what string, q quantiles) { line(what, "%.0f; %.0f ms (%d times)", q.P50, q.P99, q.N) }
	line("load of the machine before", "%s", r.Load)
	line("the first page of runs", "%d bytes", r.FirstPage.Bytes)
	both("  first byte, p50; p99", r.FirstPage.FirstByte)
	both("  whole, p50; p99", r.FirstPage.Whole)
	both("  painted in a browser, p50; p99", r.FirstPage.Painted)
	line("an output of many lines", "%d", r.Settings.Lines)
	both("  its end, when nobody has looked at it", r.Output.FirstVisit)
	both("  its end, p50; p99", r.Output.End)
	both("  a text of its last line, found, p50; p99", r.Output.Search)
	both("  a text that it does not have, p50; p99", r.Output.SearchInVain)
	both("  from its begin to its end, drawn in a browser, p50; p99", r.Output.Scroll)
	line("open pages; runs finishing a second", "%d; %.1f", r.Settings.Listeners, r.Crowd.RunsSecond)
	line("  memory of the server before; most", "%.0f; %.0f MiB", mebibytes(r.Crowd.MemoryQuiet), mebibytes(r.Crowd.MemoryPeak))
	line("  processors that the server takes", "%.2f", r.Crowd.Processors)
	both("  write of the end → event at a client, p50; p99", r.Crowd.Heard)
	both("  write of the end → on the screen, p50; p99", r.Crowd.Shown)
	line("  events; bytes of each", "%d; %.0f", r.Crowd.Events, r.Crowd.BytesOfEvent)
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }
