package jobtable

import (
	"context"
	"encoding/json"
	"fmt"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// hasEnded says whether all rows have finished, and no run is open.
func (h *history) hasEnded() bool {
	var open int
	h.must(h.s.sql.QueryRowContext(context.Background(), "SELECT count(*) FROM "+h.name+" WHERE status <> 'finished'").Scan(&open))
	for _, run := range h.runs() {
		if run.Labels[v1alpha1.LabelOpenRow] != "" {
			open++
		}
	}
	return open == 0
}

// check holds what happened against the promises.
func (h *history) check() {
	h.t.Helper()
	if !h.hasEnded() {
		h.t.Errorf("not every row has ended: %s", h.describe())
	}
	for id, uids := range h.created {
		if len(uids) > 1 {
			h.t.Errorf("row %s has had %d runs", id, len(uids))
		}
	}
	h.checkHands()
	found, err := h.s.sql.QueryContext(context.Background(), "SELECT id, test_id, data FROM "+h.name)
	h.must(err)
	defer found.Close()
	for found.Next() {
		var id string
		var test int
		var data *string
		h.must(found.Scan(&id, &test, &data))
		var e end
		if data == nil || json.Unmarshal([]byte(*data), &e) != nil {
			h.t.Errorf("row %s has no data: %s", id, h.describe())
			continue
		}
		h.checkEnd(id, test, e)
	}
}

func (h *history) checkEnd(id string, test int, e end) {
	h.t.Helper()
	want := h.verdicts[id]
	isDeleted := e.Verdict == v1alpha1.VerdictError && e.Reason == v1alpha1.ReasonRunDeleted
	switch {
	case test == 4:
		if e.Reason != v1alpha1.ReasonInvalidRow {
			h.t.Errorf("the row without a test ended as %s", e.Reason)
		}
	case h.deleted[id] && (isDeleted || e.Verdict == want || e.Reason == v1alpha1.ReasonCancelled):
	case want == "" && e.Reason == v1alpha1.ReasonCancelled && len(h.created[id]) == 0: // it was cancelled before it had a run
	case e.Verdict != want:
		h.t.Errorf("row %s says %s %s, and its run ended as %s: %s", id, e.Verdict, e.Reason, want, h.describe())
	}
}

// checkHands checks each change that the program made: no row goes back.
func (h *history) checkHands() {
	h.t.Helper()
	found, err := h.s.sql.QueryContext(context.Background(), "SELECT id, was, now FROM history WHERE tab = '"+h.name+"' AND hand LIKE 'shop%' ORDER BY number")
	h.must(err)
	defer found.Close()
	changes, ends := 0, 0
	for found.Next() {
		var id, was, now string
		h.must(found.Scan(&id, &was, &now))
		changes++
		if now == "finished" {
			ends++
		}
		switch was + " " + now {
		case "pending in_progress", "pending finished", "in_progress finished", "cancelled finished":
		default:
			h.t.Errorf("the program took row %s from %s to %s", id, was, now)
		}
	}
	if changes < 3 {
		h.t.Errorf("only %d changes are in the history", changes)
	}
	// A program that dies, or gets no answer, may count too few.
	if counted := h.figure("testrun_jobtable_rows_ended_total"); counted > ends {
		h.t.Errorf("the program says that it has ended %d rows, and the history has %d ends", counted, ends)
	}
	runs := 0
	for _, uids := range h.created {
		runs += len(uids)
	}
	if counted := h.figure("testrun_jobtable_runs_created_total"); counted > runs {
		h.t.Errorf("the program says that it has made %d runs, and there were %d", counted, runs)
	}
}

// figure is the sum of a counter.
func (h *history) figure(name string) int {
	families, err := h.figures.Gather()
	h.must(err)
	sum := 0.0
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return int(sum)
}

// describe says where all is.
func (h *history) describe() string {
	h.save()
	var text []string
	for _, run := range h.runs() {
		text = append(text, fmt.Sprintf("%s %s %s open=%s", run.Name, run.Status.Phase, run.Status.Verdict, run.Labels[v1alpha1.LabelOpenRow]))
	}
	table := &v1alpha1.JobTable{}
	_ = h.s.Client.Get(context.Background(), h.s.Key(h.name), table)
	return fmt.Sprintf("rows %q, runs %q, created %v, verdicts %v, status %+v", h.saved, text, h.created, h.verdicts, table.Status.Conditions)
}
