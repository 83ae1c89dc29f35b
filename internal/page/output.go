package page

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"

	"github.com/testrun-dev/testrun/internal/page/terminal"
	"github.com/testrun-dev/testrun/internal/web"
)

// linesShown is how many lines a page has without the script, and above how many lines it begins before the one that is asked for.
const (
	linesShown = 500
	linesAbove = 10
)

// outputView is the page of an output.
type outputView struct {
	Run     web.RunDetails
	Attempt *web.Attempt
	// Lines are those that are shown. None says why there are none.
	Lines []shownLine
	Total int64
	None  string
	// Line is the one that was asked for; 0 if none was.
	Line int64
	// First and Last are the numbers of the lines at both ends of the page; Before is where the page before begins, Ending the last one.
	First, Last, Before, Ending int64
	// Failed is the number of the first case that failed; 0 if none did.
	Failed int64
	// Query is what is searched, and Note says how the search ended. Next and Previous are where it goes on.
	Query, Note    string
	Next, Previous int64
	// Missing says what is not kept, and why. Live says that more is to come.
	Missing string
	Live    bool
}

// shownLine is a line as HTML.
type shownLine struct {
	Number  int64
	HTML    template.HTML
	Missing int64
	Cut     bool
	Is      bool
}

func (v *visit) output() error {
	if err := v.lookAround(); err != nil {
		return err
	}
	view := &outputView{Query: v.r.FormValue("q")}
	uid := v.r.PathValue("uid")
	if err := v.get(&view.Run, nil, "/runs/%s", uid); err != nil {
		return err
	}
	var err error
	if view.Attempt, err = v.chosenAttempt(view.Run); err != nil {
		return err
	}
	if view.Attempt == nil {
		view.None = "The run has had no attempt yet, so nothing has been printed."
	} else if err := v.fillOutput(view, uid); err != nil {
		return err
	}
	if v.r.FormValue("part") == "lines" {
		return v.showLines(view)
	}
	return v.show(http.StatusOK, "output", "Output of "+view.Run.Name, view)
}

func (v *visit) fillOutput(view *outputView, uid string) error {
	view.Live = view.Attempt.Streams.Output.Completeness == web.Growing
	view.Missing = streamWords("output", view.Attempt.Streams.Output)
	view.Line, _ = strconv.ParseInt(v.r.FormValue("line"), 10, 64)
	view.Line = max(view.Line, 0)
	attempt := url.Values{"attempt": {strconv.Itoa(int(view.Attempt.Number))}}
	isPart := v.r.FormValue("part") == "lines"
	if !isPart {
		if err := v.find(view, uid, attempt); err != nil {
			return v.noOutput(view, err)
		}
	}
	query := url.Values{"attempt": attempt["attempt"], "limit": {strconv.Itoa(linesShown)}}
	begin := view.Line
	if isPart {
		view.Line = 0 // the script knows which one it is
	} else if begin > 0 {
		begin = max(1, begin-linesAbove)
	}
	if begin > 0 || !view.Live && v.r.FormValue("end") == "" {
		query.Set("line", strconv.FormatInt(max(1, begin), 10))
	}
	var list web.LineList
	if err := v.get(&list, query, "/runs/%s/output/lines", uid); err != nil {
		return v.noOutput(view, err)
	}
	view.fill(list)
	if isPart {
		return nil
	}
	var failed web.CaseList
	attempt.Set("outcome", "Failed,Errored")
	attempt.Set("limit", "1")
	if err := v.get(&failed, attempt, "/runs/%s/cases", uid); err != nil {
		return err
	}
	if len(failed.Items) > 0 {
		view.Failed = failed.Items[0].Number
	}
	return nil
}

// fill takes over lines.
func (o *outputView) fill(list web.LineList) {
	var style terminal.Style
	o.Total = list.Total
	for _, l := range list.Items {
		o.Lines = append(o.Lines, shownLine{l.Number, terminal.Line(l.Text, &style), l.Missing, l.Cut, l.Number == o.Line})
	}
	if n := len(o.Lines); n > 0 {
		o.First, o.Last = o.Lines[0].Number, o.Lines[n-1].Number
		o.Before, o.Ending = max(1, o.First-linesShown), max(1, o.Total-linesShown+1)
		return
	}
	switch {
	case o.Live && o.Total == 0:
		o.None = "Nothing has been printed yet."
	case o.Total == 0:
		o.None = "The test printed nothing."
	default:
		o.None = "There is no such line: the output has " + count(o.Total, "line") + "."
	}
}

// find looks for what the query asks for: a text, or what a case printed.
func (v *visit) find(view *outputView, uid string, attempt url.Values) error {
	if number := v.r.FormValue("case"); number != "" {
		line, err := v.search(uid, attempt, "case", number)
		if err == nil && line == 0 {
			view.Note = "What this case printed is not found in the output."
		}
		view.Line = max(line, view.Line)
		return err
	}
	if view.Query == "" {
		return nil
	}
	back := v.r.FormValue("back") != ""
	from := view.Line
	line, err := v.search(uid, attempt, "q", view.Query, "line", lineText(from), "backward", backward(back))
	if err != nil {
		return err
	}
	if line == 0 && from > 0 { // around the end
		if line, err = v.search(uid, attempt, "q", view.Query, "backward", backward(back)); err != nil {
			return err
		}
	}
	if view.Line = line; line == 0 {
		view.Note = "Nothing in the output is like that."
		return nil
	}
	view.Note = "Line " + strconv.FormatInt(line, 10)
	view.Next, view.Previous = line+1, line-1
	return nil
}

func lineText(line int64) string {
	if line == 0 {
		return ""
	}
	return strconv.FormatInt(line, 10)
}

func backward(back bool) string {
	if back {
		return "true"
	}
	return ""
}

// maxSearches is how many pieces of an output are searched for one page.
const maxSearches = 16

// search is the number of the first line that is found; 0 if there is none.
func (v *visit) search(uid string, attempt url.Values, parameters ...string) (int64, error) {
	query := url.Values{"attempt": attempt["attempt"], "limit": {"1"}}
	for i := 0; i < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			query.Set(parameters[i], parameters[i+1])
		}
	}
	for range maxSearches {
		var list web.LineList
		if err := v.get(&list, query, "/runs/%s/output/search", uid); err != nil {
			return 0, err
		}
		if len(list.Items) > 0 {
			return list.Items[0].Number, nil
		}
		if list.Next == 0 {
			break
		}
		query.Set("line", strconv.FormatInt(list.Next, 10))
	}
	return 0, nil
}

// noOutput says why nothing can be shown, if the API does.
func (v *visit) noOutput(view *outputView, err error) error {
	var refused *apiError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Status {
	case http.StatusNotFound, http.StatusGone, http.StatusForbidden, http.StatusServiceUnavailable:
		if view.None = refused.Detail; view.Missing != "" {
			view.None = ""
		}
		return nil
	}
	return err
}

// showLines answers with lines alone, for the script.
func (v *visit) showLines(view *outputView) error {
	text, err := v.views.part("lines", view)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("TestRun-Lines", strconv.FormatInt(view.Total, 10))
	if view.Live {
		v.w.Header().Set("TestRun-Live", "true")
	}
	_, _ = v.w.Write([]byte(text))
	return nil
}
