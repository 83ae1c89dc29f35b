package web

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/apiserver"
)

func file(path string) push.Stream { return push.Stream{Kind: push.Artifact, Path: path} }

func TestArtifactsAreListedAndSaved(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	state := w.run(namespace, "smoke")
	w.keep(state)
	w.keepChunk(state.Run, output, 0, "not an artifact")
	w.keepCases(state.Run, push.Case{Number: 1, Name: "not an artifact either", Outcome: "Passed"})
	for _, c := range []struct{ path, mediaType, name string }{
		{"a.png", "image/png", "a.png"},
		{"b/report.html", "application/octet-stream", "report.html"},
		{"c.svg", "application/octet-stream", "c.svg"},
		{"d/Log.TXT", "text/plain; charset=utf-8", "Log.TXT"},
		{"e.json", "application/json", "e.json"},
		{"f/ä ö\"\r\nX-Evil: 1;.js", "application/octet-stream", "ä ö___X-Evil_ 1;.js"},
		{"g/a\u202eexe.png", "image/png", "a_exe.png"},
		{"h/...", "application/octet-stream", "artifact"},
	} {
		w.keepChunk(state.Run, file(c.path), 0, "content of "+c.path)
		w.end(state.Run, file(c.path), "content of "+c.path)
		got := w.get(token, "/api/v1/runs/"+state.Run.UID+"/artifact?path="+url.QueryEscape(c.path))
		disposition, parameters, err := mime.ParseMediaType(got.Header.Get("Content-Disposition"))
		if got.StatusCode != http.StatusOK || string(got.body) != "content of "+c.path || got.Header.Get("Content-Type") != c.mediaType {
			t.Errorf("%q is %d %s %q", c.path, got.StatusCode, got.Header.Get("Content-Type"), got.body)
		}
		if err != nil || disposition != "attachment" || parameters["filename"] != c.name || got.Header.Get("X-Evil") != "" {
			t.Errorf("%q is saved as %s %q, %v", c.path, disposition, parameters["filename"], err)
		}
		if got.Header.Get("X-Content-Type-Options") != "nosniff" || got.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%q comes with %v", c.path, got.Header)
		}
	}
	paths := walk(w, token, "/api/v1/runs/"+state.Run.UID+"/artifacts?limit=3", func() {}, func(list ArtifactList) (all []string, next string) {
		for _, artifact := range list.Items {
			all = append(all, artifact.Path)
		}
		return all, list.Next
	})
	if len(paths) != 8 || paths[0] != "a.png" || !slices.IsSorted(paths) {
		t.Errorf("the artifacts are %q", paths)
	}
}

func TestAFileThatIsNotWholeIsAnsweredOnlyOnDemand(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	state := w.run(namespace, "smoke")
	w.keep(state)
	w.keepChunk(state.Run, file("partial.zip"), 0, "abc")
	w.end(state.Run, file("partial.zip"), "abcdef", push.Gap{Offset: 3, Length: 3})
	w.keepChunk(state.Run, file("altered.zip"), 0, "abx")
	w.end(state.Run, file("altered.zip"), "abc")
	path := "/api/v1/runs/" + state.Run.UID + "/artifact?path="
	for name, body := range map[string]string{"partial": "abc", "altered": "abx"} {
		if got := w.get(token, path+name+".zip"); got.StatusCode != http.StatusConflict {
			t.Errorf("a file that is %s is answered with %d %s", name, got.StatusCode, got.body)
		}
		if got := w.get(token, path+name+".zip&partial=true"); string(got.body) != body || got.Header.Get(headerCompleteness) != name {
			t.Errorf("a file that is %s is answered on demand with %d %q, %v", name, got.StatusCode, got.body, got.Header)
		}
	}
	for _, other := range []string{"never.zip", "../partial.zip", "%00", "%ff", "cases", "/etc/passwd"} {
		if got := w.get(token, path+other); got.StatusCode != http.StatusNotFound {
			t.Errorf("the file %s is answered with %d %s", other, got.StatusCode, got.body)
		}
	}
}
