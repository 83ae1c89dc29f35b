package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// machine is what the figures depend on.
type machine struct {
	At         time.Time `json:"at"`
	CPUs       int       `json:"cpus"`
	Arch       string    `json:"arch"`
	Go         string    `json:"go"`
	Kubernetes string    `json:"kubernetes"`
}

// report is all that was measured.
type report struct {
	Machine  machine         `json:"machine"`
	Settings settings        `json:"settings"`
	Targets  []target        `json:"targets"`
	Rounds   []round         `json:"rounds,omitempty"`
	Pods     []podRound      `json:"pods,omitempty"`
	Queues   []curve         `json:"queues,omitempty"`
	Scale    []scale         `json:"scale,omitempty"`
	Archived []archivedRound `json:"archived,omitempty"`
}

func (r report) write(file string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(content, '\n'), 0o644)
}

// measure takes one figure out of a round.
type measure func(round) float64

// row is a line of a table: nil is an empty cell.
type row struct {
	what    string
	digits  int
	columns []measure
}

// atOnce are the rows of the parts in which everything is created at once: bare Jobs, TestRuns, those of a Test, bare Jobs again.
func atOnce() []row {
	rows := func(what string, digits int, figure func(part) float64) row {
		return row{what, digits, []measure{
			func(r round) float64 { return figure(r.JobsBefore) },
			func(r round) float64 { return figure(r.Runs) },
			func(r round) float64 { return figure(r.RunsOfTest) },
			func(r round) float64 { return figure(r.JobsAfter) },
		}}
	}
	runs := func(what string, digits int, figure func(part) float64) row {
		all := rows(what, digits, figure)
		all.columns[0], all.columns[3] = nil, nil
		return all
	}
	return []row{
		rows("finished a second", 1, func(p part) float64 { return p.FinishedPerSecond }),
		runs("created → its Job, p50, ms", 0, func(p part) float64 { return p.UntilJob.P50 }),
		runs("created → its Job, p90, ms", 0, func(p part) float64 { return p.UntilJob.P90 }),
		runs("created → its Job, p99, ms", 0, func(p part) float64 { return p.UntilJob.P99 }),
		rows("created → finished, p50, ms", 0, func(p part) float64 { return p.UntilFinished.P50 }),
		rows("created → finished, p90, ms", 0, func(p part) float64 { return p.UntilFinished.P90 }),
		rows("created → finished, p99, ms", 0, func(p part) float64 { return p.UntilFinished.P99 }),
		rows("API writes for each, without events", 2, func(p part) float64 { return p.Requests.writes() }),
		rows("events for each", 2, func(p part) float64 { return p.Requests.events() }),
		rows("the operator's CPU time for each, ms", 2, func(p part) float64 { return p.CPU }),
		rows("the API server's CPU time for each, ms", 1, func(p part) float64 { return p.ServerCPU }),
		rows("CPU time of the whole machine for each, ms", 1, func(p part) float64 { return p.MachineCPU }),
		rows("the operator's peak memory so far, MiB", 0, func(p part) float64 { return p.PeakMiB }),
	}
}

// steady are the rows of the parts in which creation keeps to a rate: bare Jobs, TestRuns.
func steady() []row {
	rows := func(what string, digits int, figure func(part) float64) row {
		return row{what, digits, []measure{
			func(r round) float64 { return figure(r.SteadyJobs) }, func(r round) float64 { return figure(r.SteadyRuns) },
		}}
	}
	return []row{
		rows("finished a second", 1, func(p part) float64 { return p.FinishedPerSecond }),
		{"created → its Job, p50, ms", 1, []measure{nil, func(r round) float64 { return r.SteadyRuns.UntilJob.P50 }}},
		{"created → its Job, p99, ms", 1, []measure{nil, func(r round) float64 { return r.SteadyRuns.UntilJob.P99 }}},
		rows("created → finished, p50, ms", 0, func(p part) float64 { return p.UntilFinished.P50 }),
		rows("created → finished, p99, ms", 0, func(p part) float64 { return p.UntilFinished.P99 }),
		rows("the operator's CPU time for each, ms", 2, func(p part) float64 { return p.CPU }),
	}
}

// others are the rows of what has no counterpart in a bare Job.
func others() []row {
	return []row{
		{"one by one: creating a bare Job, p50, ms", 1, []measure{func(r round) float64 { return r.OneByOne.CreateCall.P50 }}},
		{"one by one: creating a bare Job, p99, ms", 1, []measure{func(r round) float64 { return r.OneByOne.CreateCall.P99 }}},
		{"one by one: TestRun → its Job, p50, ms", 1, []measure{func(r round) float64 { return r.OneByOne.UntilJob.P50 }}},
		{"one by one: TestRun → its Job, p99, ms", 1, []measure{func(r round) float64 { return r.OneByOne.UntilJob.P99 }}},
		{"pods that end at once: finished a second", 1, []measure{func(r round) float64 { return r.Ceiling.FinishedPerSecond }}},
		{"pods that end at once: the operator's CPU time for each, ms", 2, []measure{func(r round) float64 { return r.Ceiling.CPU }}},
	}
}

// print writes tables for people.
func (r report) print(out io.Writer) error {
	fmt.Fprintf(out, "\n%s, %d CPUs\n", r.Machine.Kubernetes, r.Machine.CPUs)
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if len(r.Rounds) > 0 {
		r.printRounds(table)
	}
	if len(r.Pods) > 0 {
		printPods(table, r.Pods)
	}
	for _, curve := range r.Queues {
		curve.print(table)
	}
	if len(r.Scale) > 0 {
		printScale(table, r.Scale)
	}
	if len(r.Archived) > 0 {
		printArchived(table, r.Archived)
	}
	fmt.Fprintln(table, "\nTARGETS\tmeasured\ttarget\t")
	for _, t := range r.Targets {
		comparison := "≤"
		if t.AtLeast {
			comparison = "≥"
		}
		fmt.Fprintf(table, "%s\t%s\t%s %g %s\t%s\n", t.What, t.Sample.show(2), comparison, t.Limit, t.Unit, t.Verdict)
	}
	return table.Flush()
}

func (r report) printRounds(table io.Writer) {
	fmt.Fprintf(table, "%d rounds of %d runs whose pods run for %s. Median of the rounds (least – most):\n",
		r.Settings.Rounds, r.Settings.Runs, r.Settings.Duration.Duration)
	r.printRows(table, "ALL AT ONCE\tbare Jobs\tTestRuns\tTestRuns of a Test\tbare Jobs again", atOnce())
	r.printRows(table, "AT HALF THAT RATE\tbare Jobs\tTestRuns", steady())
	r.printRows(table, "OTHERS", others())
	added := map[string][]float64{}
	for _, round := range r.Rounds {
		for key, n := range round.addedRequests() {
			added[key] = append(added[key], n)
		}
	}
	printAdded(table, "API REQUESTS FOR EACH RUN, BEYOND THOSE OF A BARE JOB", added)
}

func printAdded(table io.Writer, title string, added map[string][]float64) {
	fmt.Fprintln(table, "\n"+title)
	for _, key := range slices.Sorted(maps.Keys(added)) {
		if s := sampleOf(added[key]); s.Median >= 0.02 || s.Median <= -0.02 {
			fmt.Fprintf(table, "%s\t%s\n", key, s.show(2))
		}
	}
}

func (r report) printRows(out io.Writer, title string, rows []row) {
	fmt.Fprintf(out, "\n%s\n", title)
	for _, row := range rows {
		fmt.Fprint(out, row.what)
		for _, column := range row.columns {
			fmt.Fprint(out, "\t")
			if column != nil {
				fmt.Fprint(out, sampleBy(r.Rounds, column).show(row.digits))
			}
		}
		fmt.Fprintln(out)
	}
}

func (s sample) show(digits int) string {
	return fmt.Sprintf("%.*f (%.*f – %.*f)", digits, s.Median, digits, s.Min, digits, s.Max)
}
