package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// worldWithOutput keeps a run whose output has so many lines, cut into chunks that end within lines.
func worldWithOutput(t *testing.T, lines int) (w *world, run archive.Run, path string) {
	t.Helper()
	w = newWorld(t)
	state := w.run(apiserver.Namespace(t), "long")
	w.keep(state)
	var text strings.Builder
	for i := range lines {
		fmt.Fprintf(&text, "line %d of the output\n", i+1)
	}
	for all, at := text.String(), 0; at < len(all); at += 100_003 {
		w.keepChunk(state.Run, output, int64(at), all[at:min(at+100_003, len(all))])
	}
	w.end(state.Run, output, text.String())
	return w, state.Run, "/api/v1/runs/" + state.Run.UID + "/output"
}

func TestEveryLineIsFoundByItsNumber(t *testing.T) {
	const all = 100_000
	w, run, path := worldWithOutput(t, all)
	token := viewer(t, run.Namespace)
	for _, first := range []int64{1, 2, 4_000, 12_345, 99_990, 99_999, 100_000} {
		list := read[LineList](w, token, fmt.Sprintf("%s/lines?line=%d&limit=20", path, first))
		if list.Total != all || int64(len(list.Items)) != min(20, all-first+1) {
			t.Fatalf("from line %d on, there are %d of %d lines", first, len(list.Items), list.Total)
		}
		for i, l := range list.Items {
			if l.Number != first+int64(i) || l.Text != fmt.Sprintf("line %d of the output", l.Number) {
				t.Fatalf("from line %d on, the line %d is %+v", first, i, l)
			}
		}
	}
	last := read[LineList](w, token, path+"/lines?limit=3")
	if len(last.Items) != 3 || last.Items[2].Number != all {
		t.Errorf("the last lines are %+v", last.Items)
	}
	if beyond := read[LineList](w, token, path+"/lines?line=100001"); len(beyond.Items) != 0 || beyond.Total != all {
		t.Errorf("beyond the end there are %+v", beyond)
	}
	if list := read[LineList](w, token, path+"/lines?line=500&limit=1"); string(w.get(token, path, "Range: bytes="+fmt.Sprint(list.Items[0].Offset)+"-").body[:8]) != "line 500" {
		t.Errorf("the offset of line 500 is not %d", list.Items[0].Offset)
	}
}

func TestASearchFindsLinesForwardAndBackward(t *testing.T) {
	w, run, path := worldWithOutput(t, 50_000)
	token := viewer(t, run.Namespace)
	for query, want := range map[string]string{
		"q=LINE+777+of":                               "[777] 0",
		"q=line+777&limit=3":                          "[777 7770 7771] 7772",
		"q=line+777&line=778&limit=3":                 "[7770 7771 7772] 7773",
		"q=line+777&backward=true&limit=3":            "[7777 7778 7779] 7776",
		"q=line+777&backward=true&line=7776&limit=30": "[777 7770 7771 7772 7773 7774 7775 7776] 0",
		"q=line+777&backward=true&line=777&limit=1":   "[777] 776",
		"q=nowhere":               "[] 0",
		"q=nowhere&backward=true": "[] 0",
		"q=line&line=50001":       "[] 0",
	} {
		list := read[LineList](w, token, path+"/search?"+query)
		numbers := []int64{}
		for _, l := range list.Items {
			numbers = append(numbers, l.Number)
		}
		if got := fmt.Sprint(numbers, list.Next); got != want {
			t.Errorf("%s finds %s, not %s", query, got, want)
		}
	}
	for _, query := range []string{"", "q=a&case=1", "q=a&line=0"} {
		if got := w.get(token, path+"/search?"+query); got.StatusCode != http.StatusBadRequest && got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%q is answered with %d %s", query, got.StatusCode, got.body)
		}
	}
}

func TestLinesAreOddAtTimes(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	state := w.run(namespace, "odd")
	w.keep(state)
	long := strings.Repeat("x", 3*maxLine)
	w.keepChunk(state.Run, output, 0, "first\n"+long+"\n\xff\x00\x1b[31mnot \x1b[1mok\x1b[0m 3\nhalf")
	at := int64(len("first\n" + long + "\n\xff\x00\x1b[31mnot \x1b[1mok\x1b[0m 3\nhalf"))
	w.keepChunk(state.Run, output, at+10, "of it\nno break at the end")
	path := "/api/v1/runs/" + state.Run.UID + "/output"
	items := read[LineList](w, token, path+"/lines?line=1").Items
	if len(items) != 7 || items[0].Text != "first" || !items[1].Cut || len(items[1].Text) != maxLine || items[3].Text != "half" ||
		items[4].Missing != 10 || items[5].Text != "of it" || items[6].Text != "no break at the end" || items[6].Offset != at+16 {
		t.Errorf("the lines are %+v", items)
	}
	if found := read[LineList](w, token, path+"/search?q=not+ok+3").Items; len(found) != 1 || found[0].Number != 3 {
		t.Errorf("between colors, it finds %+v", found)
	}
	// What was missing comes.
	w.keepChunk(state.Run, output, at, "0123456789")
	if items := read[LineList](w, token, path+"/lines?line=4").Items; len(items) != 2 || items[0].Text != "half0123456789of it" {
		t.Errorf("once the gap is filled, the lines are %+v", items)
	}
}

func TestWhatACasePrintedIsFound(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	state := w.run(namespace, "smoke")
	w.keep(state)
	w.keepChunk(state.Run, output, 0, "=== RUN adds\n=== RUN divides\n--- FAIL: divides\n    by zero\nsomething: got 3\n")
	w.keepCases(state.Run,
		push.Case{Number: 1, Name: "divides", Outcome: results.Failed},
		push.Case{Number: 2, Name: "adds", Outcome: results.Passed},
		push.Case{Number: 3, Name: "subtracts", Outcome: results.Failed, Message: "got 3\nnot 4"},
		push.Case{Number: 4, Name: "silent", Outcome: results.Failed})
	for number, want := range map[int]int64{1: 3, 2: 1, 3: 5, 4: 0, 9: 0} {
		list := read[LineList](w, token, fmt.Sprintf("/api/v1/runs/%s/output/search?case=%d", state.Run.UID, number))
		got := int64(0)
		if len(list.Items) > 0 {
			got = list.Items[0].Number
		}
		if got != want || len(list.Items) > 1 {
			t.Errorf("case %d is found at line %d, not %d", number, got, want)
		}
	}
}

func TestARunIsComparedWithTheLastOneThatPassed(t *testing.T) {
	w := newWorld(t)
	names := namespaces(t, 2)
	token := viewer(t, names[0])
	var runs []archive.Run
	for i, verdict := range []string{"Passed", "Passed", "Failed", "Failed", "Passed"} {
		state := w.run(names[0], fmt.Sprintf("run-%d", i))
		state.Run.Created, state.Run.Verdict = begin.Add(time.Duration(i)*time.Minute), verdict
		w.keep(state)
		runs = append(runs, state.Run)
	}
	w.keepCases(runs[1],
		push.Case{Number: 1, Name: "same", Outcome: results.Passed},
		push.Case{Number: 2, Name: "broken", Outcome: results.Passed},
		push.Case{Number: 3, Name: "gone", Outcome: results.Passed})
	w.keepCases(runs[3],
		push.Case{Number: 1, Name: "broken", Outcome: results.Failed, Message: "got 3"},
		push.Case{Number: 2, Name: "same", Outcome: results.Passed},
		push.Case{Number: 3, Name: "added", Outcome: results.Skipped})
	path := "/api/v1/runs/" + runs[3].UID + "/compare"
	for _, limit := range []int{1, 2, 3, 100} {
		got := walk(w, token, fmt.Sprintf("%s?limit=%d", path, limit), func() {}, func(list Comparison) (all []string, next string) {
			if list.With.UID != runs[1].UID {
				t.Fatalf("it is compared with %s", list.With.Name)
			}
			for _, d := range list.Items {
				all = append(all, fmt.Sprintf("%s:%s-%s", d.Name, d.Was, d.Outcome))
			}
			return all, list.Next
		})
		if want := "[broken:Passed-Failed added:-Skipped gone:Passed-]"; fmt.Sprint(got) != want {
			t.Errorf("with pages of %d, the differences are %v, not %s", limit, got, want)
		}
	}
	if list := read[Comparison](w, token, path+"?with="+runs[3].UID); len(list.Items) != 0 {
		t.Errorf("with itself it is compared as %+v", list.Items)
	}
	other := w.run(names[0], "other")
	other.Run.Series = "nightly"
	secret := w.run(names[1], "secret")
	w.keep(other, secret)
	for uid, status := range map[string]int{other.Run.UID: 400, secret.Run.UID: 404, "never": 404, url.QueryEscape("<b>"): 404} {
		if got := w.get(token, path+"?with="+uid); got.StatusCode != status {
			t.Errorf("with %s it is answered with %d %s", uid, got.StatusCode, got.body)
		}
	}
	first := w.get(token, "/api/v1/runs/"+runs[0].UID+"/compare")
	if first.StatusCode != http.StatusNotFound || !strings.Contains(string(first.body), "has passed") {
		t.Errorf("the first run is compared as %d %s", first.StatusCode, first.body)
	}
}
