package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// report is all that was measured.
type report struct {
	Settings  settings   `json:"settings"`
	Databases []database `json:"databases"`
}

// database is what was measured of one.
type database struct {
	Kind        string      `json:"kind"`
	Bytes       int64       `json:"bytes"`
	BytesOfCase float64     `json:"bytesOfCase"`
	Ingest      ingest      `json:"ingest"`
	Lists       []listTimes `json:"lists"`
}

// ingest is how long it took to add cases, and bare rows in turn with them. It is empty if the database was full before.
type ingest struct {
	Cases       int           `json:"cases"`
	Took        time.Duration `json:"took"`
	BareRows    int           `json:"bareRows"`
	BareTook    time.Duration `json:"bareTook"`
	CasesSecond float64       `json:"casesASecond"`
	BareSecond  float64       `json:"bareRowsASecond"`
}

func (i *ingest) rates() {
	if i.Took > 0 && i.BareTook > 0 {
		i.CasesSecond = float64(i.Cases) / i.Took.Seconds()
		i.BareSecond = float64(i.BareRows) / i.BareTook.Seconds()
	}
}

type listTimes struct {
	Name string        `json:"name"`
	P50  time.Duration `json:"p50"`
	P99  time.Duration `json:"p99"`
}

// targets are how much each database may take for a case, and how many cases it should take a second.
var targets = map[string]struct{ bytes, rate float64 }{"sqlite": {150, 5000}, "postgres": {300, 20_000}}

// slowest is how long a page may take, p99, where there is a target.
var slowest = map[string]time.Duration{
	pageOfRuns: 50 * time.Millisecond, lastOfCase: 20 * time.Millisecond, daysOfTest: 50 * time.Millisecond, daysOfCase: 50 * time.Millisecond,
}

func (r report) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, d := range r.Databases {
		target := targets[d.Kind]
		fmt.Fprintf(table, "\n%s, %d CASES\tseen\ttarget\n", d.Kind, r.Settings.Cases)
		fmt.Fprintf(table, "size, GB\t%.2f\t≤ %.2f\n", float64(d.Bytes)/1e9, target.bytes*float64(r.Settings.Cases)/1e9)
		fmt.Fprintf(table, "bytes for each case\t%.0f\t≤ %.0f\n", d.BytesOfCase, target.bytes)
		if d.Ingest.CasesSecond > 0 {
			fmt.Fprintf(table, "cases a second (of %d)\t%.0f\t≥ %.0f\n", d.Ingest.Cases, d.Ingest.CasesSecond, target.rate)
			fmt.Fprintf(table, "bare rows a second, in turn\t%.0f\t\n", d.Ingest.BareSecond)
			fmt.Fprintf(table, "cases / bare rows\t%.2f\t\n", d.Ingest.CasesSecond/d.Ingest.BareSecond)
		}
		for _, list := range d.Lists {
			limit := ""
			if at, ok := slowest[list.Name]; ok {
				limit = fmt.Sprintf("p99 ≤ %v", at)
			}
			fmt.Fprintf(table, "%s\tp50 %v, p99 %v\t%s\n", list.Name, list.P50, list.P99, limit)
		}
	}
	return table.Flush()
}
