package archive

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The days of cases are added up in rows of bucketSize cases with consecutive ids, since a row for each case and day would be as large as
// what it adds up. Most cases of a run have consecutive ids: so a run changes a few rows.
//
// A row is the number of its format, and then for each case that has results, by its id:
//
//	how many ids without results are before it
//	the number of results, times 2; and 1 more if three numbers follow: how many failed, how many were skipped, how many were flaky
//	the sum of the durations, in microseconds
//
// All numbers are those of binary.AppendUvarint.
const (
	bucketSize  = 256
	countFormat = 1
)

// bucketOf is where a case is added up. PostgreSQL gives each connection bucketSize ids at a time: so the cases of a series share few
// buckets with those of others, which may be written at the same time.
func bucketOf(caseID int64) (bucket, place int64) {
	return (caseID - 1) / bucketSize, (caseID - 1) % bucketSize
}

// caseCounts are results of a case, added up.
type caseCounts struct {
	// failed are the errored ones, too.
	runs, failed, skipped, flaky, duration int64
}

func (c *caseCounts) add(row *caseRow, by int64) {
	c.runs += by
	c.failed += by * bit(isBad(row))
	c.skipped += by * bit(row.outcome == numberSkipped)
	c.flaky += by * row.flaky
	c.duration += by * row.duration
}

func (c *caseCounts) addAll(other caseCounts) {
	c.runs += other.runs
	c.failed += other.failed
	c.skipped += other.skipped
	c.flaky += other.flaky
	c.duration += other.duration
}

// bucketCounts are the results of the cases of a bucket on a day.
type bucketCounts [bucketSize]caseCounts

func (b *bucketCounts) encode() []byte {
	out := []byte{countFormat}
	gap := uint64(0)
	for _, c := range b {
		if c.runs <= 0 {
			gap++
			continue
		}
		more := c.failed != 0 || c.skipped != 0 || c.flaky != 0
		out = binary.AppendUvarint(out, gap)
		out = binary.AppendUvarint(out, uint64(c.runs)<<1|uint64(bit(more)))
		if more {
			out = binary.AppendUvarint(out, uint64(c.failed))
			out = binary.AppendUvarint(out, uint64(c.skipped))
			out = binary.AppendUvarint(out, uint64(c.flaky))
		}
		out = binary.AppendUvarint(out, uint64(c.duration))
		gap = 0
	}
	return out
}

// decode reads what encode wrote, or a row that is empty since it is new.
func (b *bucketCounts) decode(data []byte) error {
	*b = bucketCounts{}
	if len(data) == 0 {
		return nil
	}
	if data[0] != countFormat {
		return fmt.Errorf("the daily figures of cases have the format %d, and this program knows %d", data[0], countFormat)
	}
	data = data[1:]
	broken := false
	next := func() uint64 {
		value, n := binary.Uvarint(data)
		if n <= 0 {
			broken = true
			return 0
		}
		data = data[n:]
		return value
	}
	for at := uint64(0); len(data) > 0; at++ {
		at += min(next(), bucketSize)
		if at >= bucketSize {
			broken = true
		}
		if broken {
			break
		}
		c := &b[at]
		runs := next()
		c.runs = int64(runs >> 1)
		if runs&1 != 0 {
			c.failed, c.skipped, c.flaky = int64(next()), int64(next()), int64(next())
		}
		c.duration = int64(next())
	}
	if broken {
		return fmt.Errorf("the daily figures of %d cases are damaged: restore the database from a backup", bucketSize)
	}
	return nil
}

// Rows that are missing are made first, all in the order of their buckets, and then locked in that order: so no two transactions wait for
// each other, and one that waits reads what the other one wrote.
var (
	addBuckets = bulk{
		columns: "bucket bigint, day integer",
		text:    "INSERT INTO case_daily (bucket, day) SELECT x.bucket, x.day FROM {rows} WHERE true ON CONFLICT DO NOTHING",
	}
	lockBuckets = bulk{
		columns: "bucket bigint, day integer",
		text: `SELECT d.bucket, d.counts FROM case_daily d WHERE (d.bucket, d.day) IN (SELECT x.bucket, x.day FROM {rows})
			ORDER BY d.bucket {lock}`,
	}
	writeBuckets = bulk{
		columns: "bucket bigint, day integer, counts bytea",
		text: `UPDATE case_daily SET counts = x.counts FROM {rows}
			WHERE case_daily.bucket = x.bucket AND case_daily.day = x.day`,
	}
)

// updateCaseDays adds changes of cases of a run to the day of that run.
func (tx *transaction) updateCaseDays(ctx context.Context, run *runRow, changes []caseChange) error {
	buckets := changesOfBuckets(changes)
	day := dayOf(run.created)
	var keys, written rows
	for _, bucket := range slices.Sorted(maps.Keys(buckets)) {
		keys = append(keys, []any{bucket, day})
	}
	if err := tx.run(ctx, addBuckets, keys, nil); err != nil {
		return err
	}
	err := tx.run(ctx, lockBuckets, keys, func(scan scanner) error {
		var bucket int64
		var data []byte
		if err := scan(&bucket, &data); err != nil {
			return err
		}
		var counts bucketCounts
		if err := counts.decode(data); err != nil {
			return err
		}
		for place, change := range buckets[bucket] {
			counts[place].addAll(*change)
		}
		written = append(written, []any{bucket, day, counts.encode()})
		return nil
	})
	if err != nil {
		return err
	}
	return tx.run(ctx, writeBuckets, written, nil)
}

// changesOfBuckets is by how much the counts of cases change, by bucket and place. Cases whose counts stay are left out.
func changesOfBuckets(changes []caseChange) map[int64]map[int64]*caseCounts {
	cases := map[int64]*caseCounts{}
	count := func(row *caseRow, by int64) {
		if row == nil || row.caseID == noCase {
			return
		}
		if cases[row.caseID] == nil {
			cases[row.caseID] = &caseCounts{}
		}
		cases[row.caseID].add(row, by)
	}
	for _, change := range changes {
		count(change.old, -1)
		count(change.new, 1)
	}
	buckets := map[int64]map[int64]*caseCounts{}
	for id, change := range cases {
		if *change == (caseCounts{}) {
			continue
		}
		bucket, place := bucketOf(id)
		if buckets[bucket] == nil {
			buckets[bucket] = map[int64]*caseCounts{}
		}
		buckets[bucket][place] = change
	}
	return buckets
}

// CaseTrend lists the days of a case, as Trend those of a series.
func (s *Store) CaseTrend(ctx context.Context, name CaseName, from, to time.Time) ([]Day, error) {
	id, err := s.caseID(ctx, name)
	if err != nil {
		return nil, err
	}
	bucket, place := bucketOf(id)
	var days []Day
	args := []any{bucket, dayOf(from.UnixMicro()), lastDay(to), MaxDays}
	err = s.list(ctx, listCaseDays, args, func(scan scanner) error {
		var day int64
		var data []byte
		var counts bucketCounts
		if err := scan(&day, &data); err != nil {
			return err
		}
		if err := counts.decode(data); err != nil {
			return err
		}
		c := counts[place]
		if c.runs == 0 {
			return nil
		}
		days = append(days, Day{Day: timeOfDay(day), Rates: Rates{
			Runs: c.runs, Passed: c.runs - c.failed - c.skipped, Failed: c.failed, Flaky: c.flaky,
			Duration: time.Duration(c.duration) * time.Microsecond,
		}})
		return nil
	})
	return days, err
}

const listCaseDays = "SELECT day, counts FROM case_daily WHERE bucket = $1 AND day >= $2 AND day <= $3 ORDER BY day LIMIT $4"
