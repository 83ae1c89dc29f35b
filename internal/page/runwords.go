package page

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/page/picture"
	"github.com/testrun-dev/testrun/internal/web"
)

// missingOf says in sentences what is not kept of an attempt, and why.
func missingOf(attempt *web.Attempt) []string {
	if attempt == nil {
		return nil
	}
	all := append([]string{}, attempt.Missing...)
	if text := streamWords("output", attempt.Streams.Output); text != "" {
		all = append(all, text)
	}
	if cases := attempt.Streams.Cases; cases.Completeness != web.None { // many tests report none
		if text := streamWords("list of cases", cases); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// streamWords says what is missing of a stream; empty if nothing is known to be.
func streamWords(what string, stream web.Stream) string {
	var text string
	switch stream.Completeness {
	case web.Partial:
		text = "A part of the " + what + " is missing."
	case web.Altered:
		text = "The " + what + " is not what the test wrote."
	case web.Expired:
		text = "The " + what + " is not kept any more: its retention deleted it"
		if stream.Expired != nil {
			text += " on " + stream.Expired.Format("2 January 2006 at 15:04 UTC")
		}
		text += "."
	case web.None:
		text = "There is no " + what + "."
	default:
		return ""
	}
	if len(stream.Reasons) > 0 {
		text += " " + strings.Join(stream.Reasons, " ")
	}
	if len(stream.Gaps) > 0 {
		text += " Missing: " + gapWords(stream.Gaps) + "."
	}
	return text
}

// gapWords names the first gaps.
func gapWords(gaps []web.Gap) string {
	const named = 3
	var all []string
	for _, gap := range gaps[:min(len(gaps), named)] {
		all = append(all, fmt.Sprintf("%s at byte %d", size(gap.Length), gap.Offset))
	}
	if more := len(gaps) - named; more > 0 {
		all = append(all, count(int64(more), "more gap"))
	}
	return strings.Join(all, ", ")
}

// size is a number of bytes in words.
func size(bytes int64) string {
	const step = 1024
	if bytes < step {
		return count(bytes, "byte")
	}
	value, unit := float64(bytes)/step, 0
	for value >= step && unit < 3 {
		value, unit = value/step, unit+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + " " + []string{"KiB", "MiB", "GiB", "TiB"}[unit]
}

// caseURL is the page of a case.
func caseURL(run web.Run, suite, name string) string {
	return casePath(run.Namespace, run.Series, suite, name)
}

// seriesURL is the page of a series.
func seriesURL(run web.Run) string {
	return seriesPath(run.Namespace, run.Series)
}

// timelineOf draws when a run waited, and when its attempts started, ran and ended.
func timelineOf(run web.RunDetails, now time.Time) template.HTML {
	end := now
	if run.Finished != nil {
		end = *run.Finished
	} else if run.Deleted != nil {
		end = *run.Deleted
	}
	span := func(class, word string, from, to time.Time) picture.Span {
		if to.Before(from) {
			to = from
		}
		return picture.Span{Class: class, Word: word, From: from, To: to, Took: duration(to.Sub(from))}
	}
	or := func(t *time.Time, other time.Time) time.Time {
		if t == nil {
			return other
		}
		return *t
	}
	var lanes []picture.Lane
	queued := end
	if len(run.Attempts) > 0 {
		queued = or(run.Attempts[0].Created, or(run.Attempts[0].Started, end))
	}
	lanes = append(lanes, picture.Lane{Name: "Queued", Spans: []picture.Span{span("queued", "Queued", run.Created, queued)}})
	const shown = 10
	for _, attempt := range run.Attempts[max(0, len(run.Attempts)-shown):] {
		lane := picture.Lane{Name: fmt.Sprintf("Attempt %d", attempt.Number)}
		ended := or(attempt.Finished, end)
		created := or(attempt.Created, or(attempt.Started, ended))
		if created.Before(run.Created) {
			created = run.Created
		}
		started := or(attempt.Started, ended)
		if started.After(created) {
			lane.Spans = append(lane.Spans, span("starting", "Starting", created, started))
		}
		if attempt.Started != nil {
			state := stateOf(attempt.Verdict)
			if attempt.Verdict == "" {
				state = states["InProgress"]
			}
			lane.Spans = append(lane.Spans, span(state.Class, "Running", started, ended))
		}
		lanes = append(lanes, lane)
	}
	return picture.Timeline("When the run "+run.Name+" waited and ran", lanes)
}
