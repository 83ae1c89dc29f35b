package web

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/testrun-dev/testrun/internal/archive"
)

// Line is a line of an output.
type Line struct {
	Number  int64  `json:"number" doc:"Counts the lines from 1. Missing bytes count as one line."`
	Offset  int64  `json:"offset" doc:"Where in the stream it begins."`
	Text    string `json:"text" doc:"As the test printed it, with its escape codes; at most 16 KiB of it."`
	Cut     bool   `json:"cut,omitempty" doc:"The line is longer."`
	Missing int64  `json:"missing,omitempty" doc:"In place of the line, so many bytes are missing."`
}

func lineOf(l line) Line {
	return Line{Number: l.number, Offset: l.offset, Text: string(l.text), Cut: l.isCut, Missing: l.missing}
}

// LineList is some lines of an output, in their order.
type LineList struct {
	Attempt int32  `json:"attempt"`
	Kept    Stream `json:"kept" doc:"How much of the output is kept."`
	Total   int64  `json:"total" doc:"How many lines there are now."`
	Items   []Line `json:"items" nullable:"false"`
	Next    int64  `json:"next,omitempty" doc:"Where a search that has not come to the end goes on."`
}

type (
	linesInput struct {
		OfAttempt
		Line  int64 `query:"line" minimum:"1" doc:"Begin with this line. Without it, the answer is the last lines."`
		Limit int64 `query:"limit" default:"500" minimum:"1" maximum:"2000" doc:"How many lines there are at most."`
	}
	searchInput struct {
		OfAttempt
		Text     string `query:"q" maxLength:"1000" doc:"The text to look for. The case of ASCII letters does not matter, and escape codes are not looked at."`
		Case     int64  `query:"case" minimum:"1" doc:"In place of q: look for what was printed of the case of that number. The answer is one line, or none."`
		Line     int64  `query:"line" minimum:"1" doc:"Begin with this line. Without it, with the first; or, backward, with the last."`
		Backward bool   `query:"backward" doc:"Go towards the beginning."`
		Limit    int    `query:"limit" default:"20" minimum:"1" maximum:"200" doc:"How many lines are found at most."`
	}
	linesOutput struct{ Body LineList }
)

func (s *server) registerLines(api huma.API) {
	ofRun(s, api, operation{
		id: "list-lines", path: "/output/lines", right: toOutput, summary: "Lines of the output of a run",
		description: "Lines of what the test printed in one attempt, by their numbers.", errors: []int{http.StatusGone},
	}, s.lines)
	ofRun(s, api, operation{
		id: "search-output", path: "/output/search", right: toOutput, summary: "Search in the output of a run",
		description: "Lines with a text. A search looks at 64 MiB at most, and says where to go on.", errors: []int{http.StatusGone},
	}, s.search)
}

func (s *server) lines(ctx context.Context, run archive.Run, input *linesInput) (*linesOutput, error) {
	list, k, index, err := s.outputOf(ctx, run, input.Attempt)
	if err != nil {
		return nil, err
	}
	first := input.Line
	if first == 0 {
		first = max(1, list.Total-input.Limit+1)
	}
	if first <= list.Total {
		_, err = k.lines(ctx, index.places[index.before(first)], func(l line) bool {
			if l.number >= first {
				list.Items = append(list.Items, lineOf(l))
			}
			return int64(len(list.Items)) < input.Limit
		})
	}
	return &linesOutput{list}, err
}

// maxSearched is how many bytes a search looks at.
const maxSearched = 64 << 20

func (s *server) search(ctx context.Context, run archive.Run, input *searchInput) (*linesOutput, error) {
	leave, ok := s.streams.Enter(userOf(ctx).Username)
	if !ok {
		return nil, huma.ErrorWithHeaders(huma.Error503ServiceUnavailable(tooMany), retrySoon)
	}
	defer leave()
	if (input.Text == "") == (input.Case == 0) {
		return nil, huma.Error400BadRequest("Name either the text to look for as \"q\", or a case as \"case\".")
	}
	list, k, index, err := s.outputOf(ctx, run, input.Attempt)
	if err != nil {
		return nil, err
	}
	looking := searching{kept: k, index: index, list: &list, limit: input.Limit}
	switch {
	case input.Case > 0:
		err = s.searchCase(ctx, run, input.Case, looking)
	case input.Backward:
		err = looking.backward(ctx, newNeedle(input.Text), input.Line)
	default:
		err = looking.forward(ctx, newNeedle(input.Text), max(1, input.Line))
	}
	return &linesOutput{list}, err
}

// searching is a search in an output.
type searching struct {
	kept
	index *lineIndex
	list  *LineList
	limit int
}

func (s searching) forward(ctx context.Context, what needle, first int64) error {
	if first > s.index.total {
		return nil
	}
	begin := s.index.places[s.index.before(first)]
	_, err := s.lines(ctx, begin, func(l line) bool {
		if len(s.list.Items) >= s.limit || l.offset-begin.offset > maxSearched {
			s.list.Next = l.number
			return false
		}
		if l.number >= first && what.isIn(l.text) {
			s.list.Items = append(s.list.Items, lineOf(l))
		}
		return true
	})
	return err
}

// backward looks at the lines between two known places at a time, from the last to the first.
func (s searching) backward(ctx context.Context, what needle, last int64) error {
	if last == 0 || last > s.index.total {
		last = s.index.total
	}
	searched := int64(0)
	for i := s.index.before(last); i >= 0; i-- {
		var found []Line
		begin := s.index.places[i]
		end, err := s.lines(ctx, begin, func(l line) bool {
			if l.number > last {
				return false
			}
			if what.isIn(l.text) {
				if found = append(found, lineOf(l)); len(found) > s.limit {
					found = found[1:]
				}
			}
			return l.number < last
		})
		if err != nil {
			return err
		}
		s.list.Items = slices.Concat(found, s.list.Items)
		if s.list.Items == nil {
			s.list.Items = []Line{}
		}
		searched += end.offset - begin.offset
		last = begin.number - 1
		if n := len(s.list.Items); n >= s.limit || searched > maxSearched {
			s.list.Items = s.list.Items[max(0, n-s.limit):]
			if last > 0 {
				s.list.Next = last
			}
			if n >= s.limit && s.list.Items[0].Number > 1 {
				s.list.Next = s.list.Items[0].Number - 1
			}
			return nil
		}
	}
	return nil
}

// maxOfCase is how many lines with the name of a case are compared.
const maxOfCase = 200

// searchCase finds the line that says most about how a case ended: one with its name and a word of failure, else with its name, else with the
// first line of its message.
func (s *server) searchCase(ctx context.Context, run archive.Run, number int64, looking searching) error {
	cases, _, err := s.store.Cases(ctx, archive.CaseQuery{UID: run.UID, Attempt: looking.attempt, After: number - 1, Limit: 1})
	if err != nil || len(cases) == 0 || cases[0].Number != number {
		return err
	}
	looking.limit = maxOfCase
	message, _, _ := strings.Cut(strings.TrimSpace(cases[0].Message), "\n")
	for _, text := range []string{cases[0].Name, strings.TrimSpace(message)} {
		if text == "" {
			continue
		}
		if err := looking.forward(ctx, newNeedle(text), 1); err != nil {
			return err
		}
		if found := looking.list.Items; len(found) > 0 {
			looking.list.Items = []Line{telling(found)}
			break
		}
	}
	looking.list.Next = 0
	return nil
}

// telling is the first of the lines that says that something failed, or else the first one.
func telling(lines []Line) Line {
	for _, l := range lines {
		text := strings.ToLower(l.Text)
		for _, word := range []string{"not ok", "fail", "error", "✗", "✘"} {
			if strings.Contains(text, word) {
				return l
			}
		}
	}
	return lines[0]
}

// needle is a text to look for, in small letters.
type needle struct{ text []byte }

func newNeedle(text string) needle { return needle{lowered([]byte(text))} }

func lowered(text []byte) []byte {
	out := make([]byte, len(text))
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}

const escape = '\x1b'

func (n needle) isIn(text []byte) bool {
	if len(text) < len(n.text) {
		return false
	}
	if bytes.IndexByte(text, escape) >= 0 {
		text = withoutColors(text)
	}
	return bytes.Contains(lowered(text), n.text)
}

// withoutColors is the text without escape codes that set colors.
func withoutColors(text []byte) []byte {
	var out []byte
	for len(text) > 0 {
		at := bytes.IndexByte(text, escape)
		if at < 0 {
			return append(out, text...)
		}
		out, text = append(out, text[:at]...), text[at+1:]
		if len(text) == 0 || text[0] != '[' {
			continue
		}
		end := bytes.IndexFunc(text[1:], func(r rune) bool { return r >= '@' && r <= '~' })
		if end < 0 {
			return out
		}
		text = text[1+end+1:]
	}
	return out
}
