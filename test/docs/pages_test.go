// Package docs tests the pages that people read: their form, their links, and what they say about the code.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	root      = "../.."
	lineLimit = 120 // max_line_length of .editorconfig
)

// pages are the Markdown files that people write, as paths from the root. The API reference is generated.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "bin" || name == "docs/reference" || name == ".git" || name == ".cluster"):
			return fs.SkipDir
		case filepath.Ext(name) == ".md":
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no pages found")
	}
	return found
}

func read(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// prose returns the lines of a page by their number, without blocks of code and what make corpora writes.
func prose(text string) map[int]string {
	lines, fenced, generated := map[int]string{}, false, false
	for number, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
		case strings.HasPrefix(line, "<!-- make "):
			generated = strings.HasSuffix(line, "begin -->")
		case !fenced && !generated:
			lines[number+1] = line
		}
	}
	return lines
}

func TestTheLinesOfProseAreWrapped(t *testing.T) {
	for _, page := range pages(t) {
		for number, line := range prose(read(t, page)) {
			isTable := strings.HasPrefix(strings.TrimSpace(line), "|")
			if length := utf8.RuneCountInString(line); length > lineLimit && !isTable && strings.Contains(strings.TrimLeft(line, "-* "), " ") {
				t.Errorf("%s:%d has %d characters, and .editorconfig promises at most %d", page, number, length, lineLimit)
			}
		}
	}
}

var (
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeSpan  = regexp.MustCompile("`[^`]*`")
	heading   = regexp.MustCompile(`^#{1,6} (.+)$`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

func TestTheLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for number, line := range prose(read(t, page)) {
			for _, match := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, ""), -1) {
				if target := match[1]; !strings.Contains(target, "://") {
					checkLink(t, page, number, target)
				}
			}
		}
	}
}

func checkLink(t *testing.T, page string, number int, target string) {
	t.Helper()
	path, anchor, _ := strings.Cut(target, "#")
	if path == "" {
		path = page
	} else {
		path = filepath.Join(filepath.Dir(page), path)
	}
	if _, err := os.Stat(filepath.Join(root, path)); err != nil {
		t.Errorf("%s:%d links to %s, which does not exist", page, number, target)
		return
	}
	if anchor != "" && filepath.Ext(path) == ".md" && !anchors(read(t, path))[anchor] {
		t.Errorf("%s:%d links to %s, and that page has no such heading", page, number, target)
	}
}

// anchors are the names that GitHub gives to the headings of a page.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, line := range prose(text) {
		if match := heading.FindStringSubmatch(line); match != nil {
			found[strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-")] = true
		}
	}
	return found
}
