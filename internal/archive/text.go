package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// Limits of texts, in bytes.
const (
	maxName = 512
	maxPath = 1024
	maxText = 4096
	// maxLabels is how many labels of a run can be filtered by.
	maxLabels = 64
)

// markLength is that of what storable adds.
const markLength = len(" #") + 2*markBytes

const markBytes = 6

// storable makes of a name one that every database can hold and every reader can show: valid UTF-8 without control characters, at most
// limit bytes long. A name that it changes gets a part of its hash, so that different names stay different. What it returned once it
// returns unchanged.
func storable(name string, limit int) string {
	clean := results.Cut(name, limit)
	if clean == name {
		return name
	}
	hash := sha256.Sum256([]byte(name))
	mark := "#" + hex.EncodeToString(hash[:markBytes])
	if clean = results.Cut(name, limit-markLength); clean != "" {
		mark = clean + " " + mark
	}
	return mark
}

// prose is a text for people that every database can hold.
func prose(text string) string { return results.Cut(text, maxText) }

// sendable is a text that can be sent to every database. What a reader asks for may be anything; what it changes is found nowhere.
func sendable(args []any) []any {
	for i, arg := range args {
		if text, ok := arg.(string); ok && (strings.ContainsRune(text, 0) || !utf8.ValidString(text)) {
			args[i] = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\ufffd"), "\ufffd")
		}
	}
	return args
}

// plain is a word that comes from the API server, which has checked it: it has neither control characters nor a great length. What has
// them nevertheless is no word.
func plain(text string) string { return storable(text, maxName) }

func microseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(microseconds int64) time.Time {
	if microseconds == 0 {
		return time.Time{}
	}
	return time.UnixMicro(microseconds).UTC()
}

const microsecondsOfDay = int64(24 * time.Hour / time.Microsecond)

// dayOf counts days since 1970, in UTC.
func dayOf(microseconds int64) int64 {
	day := microseconds / microsecondsOfDay
	if microseconds%microsecondsOfDay < 0 {
		day--
	}
	return day
}

func timeOfDay(day int64) time.Time { return time.UnixMicro(day * microsecondsOfDay).UTC() }

// bit is a bool as it is stored.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// longest bounds a duration, so that sums of them cannot overflow.
const longest = 7 * 24 * time.Hour

func boundedMicroseconds(microseconds int64) int64 {
	return min(max(microseconds, 0), longest.Microseconds())
}

// SeriesOf is the series that a run belongs to: runs of a series are compared with each other. It is the name of the run's Test, or else
// what the label testrun.dev/series says, or else the run's generateName without what separates it from the random part, or else its name.
func SeriesOf(test string, labels map[string]string, generateName, name string) string {
	for _, series := range []string{test, labels[v1alpha1.LabelSeries], strings.TrimRight(generateName, "-.")} {
		if series != "" {
			return series
		}
	}
	return name
}
