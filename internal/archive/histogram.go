package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
	"time"
)

// histogram counts durations in classes that grow by growth: class 0 is up to a millisecond, and class n up to growth to the power of n. So
// what it says of a duration is at most 5 % too much or too little, and counts can be taken back.
type histogram map[int]int64

const (
	growth = 1.1
	// maxClass is that of some years: what is longer is counted there.
	maxClass = 350
	// durationFormat is the first byte of a histogram that is stored. What follows are, for each class, how many there are from the one before
	// to this one, and the count, as binary.AppendUvarint writes them: about three bytes for each.
	durationFormat = 1
)

func classOf(d time.Duration) int {
	if d <= time.Millisecond {
		return 0
	}
	return min(int(math.Ceil(math.Log(float64(d)/float64(time.Millisecond))/math.Log(growth))), maxClass)
}

// durationOf is the middle of a class.
func durationOf(class int) time.Duration {
	if class == 0 {
		return time.Millisecond
	}
	return time.Duration(math.Pow(growth, float64(class)-0.5) * float64(time.Millisecond))
}

func (h histogram) add(other histogram) {
	for class, count := range other {
		h[class] += count
		if h[class] == 0 {
			delete(h, class)
		}
	}
}

// percentile is a duration that so many of a hundred do not exceed; 0 if there are none.
func (h histogram) percentile(percent int64) time.Duration {
	var all int64
	for _, count := range h {
		all += max(count, 0)
	}
	left := (all*percent + 99) / 100
	for _, class := range slices.Sorted(maps.Keys(h)) {
		left -= max(h[class], 0)
		if all > 0 && left <= 0 {
			return durationOf(class)
		}
	}
	return 0
}

func (h histogram) encode() []byte {
	out := []byte{durationFormat}
	before := 0
	for _, class := range slices.Sorted(maps.Keys(h)) {
		if h[class] > 0 {
			out = binary.AppendUvarint(out, uint64(class-before))
			out = binary.AppendUvarint(out, uint64(h[class]))
			before = class
		}
	}
	return out
}

var errHistogram = errors.New("the daily durations of a series are damaged, or of a newer program: restore the database from a backup")

// decodeHistogram reads what encode wrote, or what is empty since there was nothing.
func decodeHistogram(data []byte) (histogram, error) {
	h := histogram{}
	if len(data) == 0 {
		return h, nil
	}
	if data[0] != durationFormat {
		return nil, errHistogram
	}
	class := uint64(0)
	for data = data[1:]; len(data) > 0; {
		step, n := binary.Uvarint(data)
		if n <= 0 {
			return nil, errHistogram
		}
		count, m := binary.Uvarint(data[n:])
		if m <= 0 || step > maxClass || class+step > maxClass || count > math.MaxInt32 {
			return nil, errHistogram
		}
		class += step
		h[int(class)] += int64(count)
		data = data[n+m:]
	}
	return h, nil
}

// addKeptDurations adds the durations that are kept to those that are to be. The lock on the cursor keeps others from doing so at the same time.
func (a *applying) addKeptDurations(ctx context.Context, days map[seriesDay]*outcomes) error {
	var keys rows
	for key := range days {
		keys = append(keys, []any{key.Namespace, key.Series, key.day})
	}
	return a.run(ctx, bulk{
		columns: "namespace text, series text, day integer",
		text: `SELECT d.namespace, d.series, d.day, d.durations FROM {rows}
			JOIN test_daily d ON d.namespace = x.namespace AND d.series = x.series AND d.day = x.day`,
	}, keys, func(scan scanner) error {
		var key seriesDay
		var data []byte
		if err := scan(&key.Namespace, &key.Series, &key.day, &data); err != nil {
			return err
		}
		kept, err := decodeHistogram(data)
		if err == nil {
			days[key].durations.add(kept)
		}
		return err
	})
}
