package archive

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

func (a *applying) writeLabels(ctx context.Context) error {
	var ids, labels rows
	for i := range a.states {
		run := &a.states[i].Run
		id := a.ids[run.UID]
		ids = append(ids, []any{id})
		for _, label := range sortedLabels(run.Labels) {
			labels = append(labels, []any{id, label, run.Namespace, microseconds(run.Created), run.UID})
		}
	}
	err := a.run(ctx, bulk{columns: "id bigint", text: "DELETE FROM labels WHERE run_id IN (SELECT x.id FROM {rows})"}, ids, nil)
	if err != nil {
		return err
	}
	return a.run(ctx, bulk{
		columns: "run_id bigint, label text, namespace text, created bigint, uid text",
		text: `INSERT INTO labels (run_id, label, namespace, created, uid) SELECT x.run_id, x.label, x.namespace, x.created, x.uid
			FROM {rows} WHERE true ON CONFLICT DO NOTHING`,
	}, labels, nil)
}

// sortedLabels are "key=value". Those of TestRun come first, so that they are not the ones that are left out.
func sortedLabels(labels map[string]string) []string {
	var out []string
	for key, value := range labels {
		out = append(out, storable(key+"="+value, maxName))
	}
	slices.SortFunc(out, func(x, y string) int {
		const ours = "testrun.dev/"
		if strings.HasPrefix(x, ours) != strings.HasPrefix(y, ours) {
			if strings.HasPrefix(x, ours) {
				return -1
			}
			return 1
		}
		return strings.Compare(x, y)
	})
	return out[:min(len(out), maxLabels)]
}

func (a *applying) writeObjects(ctx context.Context) error {
	var values rows
	for i := range a.states {
		if state := &a.states[i]; len(state.Object) > 0 {
			values = append(values, []any{a.ids[state.Run.UID], state.Object})
		}
	}
	return a.run(ctx, bulk{
		columns: "run_id bigint, object bytea",
		text: `INSERT INTO objects (run_id, object) SELECT x.run_id, x.object FROM {rows} WHERE true
			ON CONFLICT (run_id) DO UPDATE SET object = excluded.object`,
	}, values, nil)
}

var upsertAttempt = bulk{
	columns: "run_id bigint, number integer, job text, pod text, node text, verdict text, reason text, exit_code integer, created bigint, " +
		"started bigint, finished bigint",
	text: `INSERT INTO attempts (run_id, number, job, pod, node, verdict, reason, exit_code, created, started, finished)
		SELECT x.run_id, x.number, x.job, x.pod, x.node, x.verdict, x.reason, x.exit_code, x.created, x.started, x.finished
		FROM {rows} WHERE true
		ON CONFLICT (run_id, number) DO UPDATE SET job = excluded.job, pod = excluded.pod, node = excluded.node,
			verdict = excluded.verdict, reason = excluded.reason, exit_code = excluded.exit_code, created = excluded.created,
			started = excluded.started, finished = excluded.finished`,
}

func (a *applying) writeAttempts(ctx context.Context) error {
	var values rows
	for i := range a.states {
		id := a.ids[a.states[i].Run.UID]
		for _, attempt := range a.states[i].Attempts {
			var code any
			if attempt.ExitCode != nil {
				code = int64(*attempt.ExitCode)
			}
			values = append(values, []any{
				id, int64(attempt.Number), plain(attempt.Job), plain(attempt.Pod), plain(attempt.Node), plain(attempt.Verdict),
				plain(attempt.Reason), code, microseconds(attempt.Created), microseconds(attempt.Started), microseconds(attempt.Finished),
			})
		}
	}
	return a.run(ctx, upsertAttempt, values, nil)
}

// writeRetention lets the retention of what has ended begin, and its attempts wait for Settle.
func (a *applying) writeRetention(ctx context.Context) error {
	var ids rows
	for _, id := range a.ids {
		ids = append(ids, []any{id, a.now})
	}
	err := a.run(ctx, bulk{
		columns: "id bigint, now bigint",
		text: `UPDATE streams SET ended = r.ended, class = ` + classOfStream + ` FROM runs r, {rows}
			WHERE r.id = x.id AND streams.run_id = x.id AND r.ended > 0`,
	}, ids, nil)
	if err != nil {
		return err
	}
	return a.run(ctx, bulk{
		columns: "id bigint, now bigint",
		text: `UPDATE attempts SET seen_ended = x.now, settled = CASE WHEN settled = 1 OR EXISTS (SELECT 1 FROM streams s
				WHERE s.run_id = x.id AND s.attempt = attempts.number AND s.kind = 'output' AND s.verified = 1) THEN 1 ELSE 0 END
			FROM runs r, {rows}
			WHERE r.id = x.id AND attempts.run_id = x.id AND attempts.seen_ended = 0 AND (attempts.finished > 0 OR r.ended > 0)`,
	}, ids, nil)
}

// writeCases keeps what the status shows of an attempt's cases, if nobody has pushed them.
func (a *applying) writeCases(ctx context.Context) error {
	type added struct {
		run   runRow
		cases int64
	}
	var all []added
	for i := range a.states {
		state := &a.states[i]
		if state.CasesOf < 1 || len(state.Cases) == 0 {
			continue
		}
		run, err := a.lockRun(ctx, state.Run.UID)
		if err != nil {
			return err
		}
		cases, err := a.keepStatusCases(ctx, &run, state)
		if err != nil {
			return err
		}
		all = append(all, added{run, cases})
	}
	for i := range all {
		if err := a.add(ctx, &all[i].run, Amount{Cases: all[i].cases}); err != nil {
			return err
		}
	}
	return nil
}

// outcomes are the runs of a series on a day, by their verdict, as they are added to or taken from its row.
type outcomes struct {
	runs, passed, failed, errored, timedOut, cancelled, flaky, duration int64
	// durations are those of the runs that have started.
	durations histogram
}

func (o *outcomes) isNothing() bool {
	return len(o.durations) == 0 && o.runs == 0 && o.passed == 0 && o.failed == 0 && o.errored == 0 && o.timedOut == 0 && o.cancelled == 0 &&
		o.flaky == 0 && o.duration == 0
}

func (o *outcomes) count(verdict string, flaky bool, started, finished, by int64) {
	o.runs += by
	switch verdict {
	case "Passed":
		o.passed += by
	case "Failed":
		o.failed += by
	case "TimedOut":
		o.timedOut += by
	case "Cancelled":
		o.cancelled += by
	default:
		o.errored += by
	}
	o.flaky += by * bit(flaky)
	if started > 0 {
		duration := boundedMicroseconds(finished - started)
		o.duration += by * duration
		o.durations.add(histogram{classOf(time.Duration(duration) * time.Microsecond): by})
	}
}

type seriesDay struct {
	SeriesKey
	day int64
}

// writeRollups adds the runs that have finished to the days of their series. What was counted before is taken back, so that a state that
// comes again, or changes, is counted once.
func (a *applying) writeRollups(ctx context.Context) error {
	days := map[seriesDay]*outcomes{}
	count := func(namespace, series string, created int64) *outcomes {
		key := seriesDay{SeriesKey{namespace, series}, dayOf(created)}
		if days[key] == nil {
			days[key] = &outcomes{durations: histogram{}}
		}
		return days[key]
	}
	for i := range a.states {
		run := &a.states[i].Run
		if old, ok := a.old[run.UID]; ok && old.verdict != "" {
			count(old.namespace, old.series, old.created).count(old.verdict, old.flaky, old.started, old.finished, -1)
		}
		if run.Verdict != "" {
			count(run.Namespace, run.Series, microseconds(run.Created)).
				count(run.Verdict, run.Flaky, microseconds(run.Started), microseconds(run.Finished), 1)
		}
	}
	if err := a.addDays(ctx, days); err != nil {
		return err
	}
	return a.writeSeries(ctx)
}

func (a *applying) addDays(ctx context.Context, days map[seriesDay]*outcomes) error {
	maps.DeleteFunc(days, func(_ seriesDay, o *outcomes) bool { return o.isNothing() })
	if err := a.addKeptDurations(ctx, days); err != nil {
		return err
	}
	var values rows
	for key, o := range days {
		values = append(values, []any{
			key.Namespace, key.Series, key.day, o.runs, o.passed, o.failed, o.errored, o.timedOut, o.cancelled, o.flaky, o.duration,
			o.durations.encode(),
		})
	}
	slices.SortFunc(values, byFirstColumns)
	return a.run(ctx, bulk{
		columns: "namespace text, series text, day integer, runs bigint, passed bigint, failed bigint, errored bigint, timed_out bigint, " +
			"cancelled bigint, flaky bigint, duration bigint, durations bytea",
		text: `INSERT INTO test_daily (namespace, series, day, runs, passed, failed, errored, timed_out, cancelled, flaky, duration, durations)
			SELECT x.namespace, x.series, x.day, x.runs, x.passed, x.failed, x.errored, x.timed_out, x.cancelled, x.flaky, x.duration,
				x.durations
			FROM {rows} WHERE true
			ON CONFLICT (namespace, series, day) DO UPDATE SET runs = test_daily.runs + excluded.runs,
				passed = test_daily.passed + excluded.passed, failed = test_daily.failed + excluded.failed,
				errored = test_daily.errored + excluded.errored, timed_out = test_daily.timed_out + excluded.timed_out,
				cancelled = test_daily.cancelled + excluded.cancelled, flaky = test_daily.flaky + excluded.flaky,
				duration = test_daily.duration + excluded.duration, durations = excluded.durations`,
	}, values, nil)
}

// byFirstColumns orders rows by their two texts and their number, so that two transactions lock them in the same order.
func byFirstColumns(x, y []any) int {
	return cmp.Or(
		strings.Compare(x[0].(string), y[0].(string)), strings.Compare(x[1].(string), y[1].(string)), cmp.Compare(x[2].(int64), y[2].(int64)))
}

var upsertSeries = bulk{
	columns: "namespace text, series text, created bigint, test text, uid text, name text, verdict text",
	text: `INSERT INTO series (namespace, series, test, last_created, last_uid, last_name, last_verdict)
		SELECT x.namespace, x.series, x.test, x.created, x.uid, x.name, x.verdict FROM {rows} WHERE true
		ON CONFLICT (namespace, series) DO UPDATE SET test = excluded.test, last_created = excluded.last_created,
			last_uid = excluded.last_uid, last_name = excluded.last_name, last_verdict = excluded.last_verdict
		WHERE (excluded.last_created, excluded.last_uid) >= (series.last_created, series.last_uid)`,
}

// writeSeries makes series known, and remembers of each the newest run that has finished.
func (a *applying) writeSeries(ctx context.Context) error {
	newest := map[SeriesKey][]any{}
	namespaces := map[string]bool{}
	for i := range a.states {
		run := &a.states[i].Run
		namespaces[run.Namespace] = true
		row := []any{run.Namespace, run.Series, int64(0), run.Test, "", "", ""}
		if run.Verdict != "" {
			row = []any{run.Namespace, run.Series, microseconds(run.Created), run.Test, run.UID, run.Name, run.Verdict}
		}
		key := SeriesKey{run.Namespace, run.Series}
		kept, ok := newest[key]
		if !ok || cmp.Or(cmp.Compare(row[2].(int64), kept[2].(int64)), strings.Compare(row[4].(string), kept[4].(string))) >= 0 {
			newest[key] = row
		}
	}
	values := slices.SortedFunc(maps.Values(newest), byFirstColumns)
	if err := a.run(ctx, upsertSeries, values, nil); err != nil {
		return err
	}
	var names rows
	for _, namespace := range slices.Sorted(maps.Keys(namespaces)) {
		names = append(names, []any{namespace})
	}
	return a.run(ctx, bulk{
		columns: "namespace text",
		text:    "INSERT INTO namespaces (namespace) SELECT x.namespace FROM {rows} WHERE true ON CONFLICT DO NOTHING",
	}, names, nil)
}
