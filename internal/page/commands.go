package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/newrun"
)

// command is a line of a shell, and what it does.
type command struct{ Does, Line string }

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@-]+$`)

// shell is a command of words: each that the shell could take for anything else is quoted.
func shell(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; !plainWord.MatchString(word) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

func kubectl(namespace string, words ...string) string {
	return shell(append([]string{"kubectl", "--namespace=" + namespace}, words...)...)
}

// rerunLine creates a run that repeats another one, as docs/retries.md says.
func rerunLine(namespace, name string) string {
	return kubectl(namespace, "create", "--filename=-") + " <<'END'\n" +
		"apiVersion: " + v1alpha1.GroupVersion.String() + "\nkind: TestRun\nmetadata:\n" +
		fmt.Sprintf("  generateName: %q\nspec:\n  rerunOf: {name: %q}\nEND", newrun.BaseOf("", name), name)
}

func cancelLine(namespace, name string) string {
	return kubectl(namespace, "patch", "testrun", name, "--type=merge", `--patch={"spec":{"cancel":true}}`)
}

func pinLine(namespace, name string) string {
	return kubectl(namespace, "annotate", "testrun", name, "--overwrite", v1alpha1.AnnotationPinned+"=true")
}

func unpinLine(namespace, name string) string {
	return kubectl(namespace, "annotate", "testrun", name, v1alpha1.AnnotationPinned+"-")
}

// quoted is the text for YAML, in one line.
func quoted(text string) string {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // text can be encoded
	return strings.TrimSpace(line.String())
}
