package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

//go:embed templates
var templates embed.FS

//go:embed static
var static embed.FS

// version names the files below /static, so that a browser may keep them for ever.
var version = func() string {
	sum := sha256.New()
	_ = fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := static.ReadFile(name)
		sum.Write(text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))[:12]
}()

func serveStatic(w http.ResponseWriter, r *http.Request) {
	text, err := static.ReadFile("static/" + path.Base(r.URL.Path))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/static/"+version+"/") {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, path.Base(r.URL.Path), time.Time{}, bytes.NewReader(text))
}

// views are the templates, by the name of their page. Each is in a file of its own, with layout.html around it, and parts.html for all.
type views struct{ pages map[string]*template.Template }

func parseViews() (*views, error) {
	common, err := template.New("").Funcs(functions).ParseFS(templates, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return nil, err
	}
	v := &views{pages: map[string]*template.Template{}}
	for _, file := range files {
		page, err := common.Clone()
		if err == nil {
			page, err = page.ParseFS(templates, file)
		}
		if err != nil {
			return nil, err
		}
		v.pages[strings.TrimSuffix(path.Base(file), ".html")] = page
	}
	return v, nil
}

// frame is what the layout shows around a page.
type frame struct {
	Name, Title, Version, User string
	// Passed says that a proxy has logged the user in.
	Passed     bool
	Namespaces namespaces
	// Path is that of the request, so that the namespace can be changed on the same page.
	Path string
	// Notice says what somebody did on the page before; nil if there is nothing to say.
	Notice *notice
	View   any
}

// show answers with a page.
func (v *visit) show(status int, name, title string, view any) error {
	var page bytes.Buffer
	err := v.views.pages[name].ExecuteTemplate(&page, "layout", frame{
		Name: name, Title: title, Version: version, User: v.session.User, Passed: v.session.Passed, Namespaces: v.namespaces, Path: v.r.URL.Path, Notice: v.said(), View: view,
	})
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = page.WriteTo(v.w)
	return nil
}

// part is a part of parts.html as text.
func (v *views) part(name string, view any) (string, error) {
	var text bytes.Buffer
	err := v.pages["parts"].ExecuteTemplate(&text, name, view)
	return text.String(), err
}

// In is the path of the page with the chosen namespace.
func (n namespaces) In(path string) string {
	if n.Chosen == "" {
		return path
	}
	return path + "?" + url.Values{"namespace": {n.Chosen}}.Encode()
}
