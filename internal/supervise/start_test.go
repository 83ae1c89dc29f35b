//go:build linux

package supervise

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs makes a directory with files and subdirectories of all kinds.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []struct {
		name, content string
		mode          os.FileMode
	}{
		{"first/tool", "text", 0o644},
		{"second/tool", "#!/bin/sh\necho second $0; exit 2\n", 0o755},
		{"third/tool", "#!/bin/sh\nexit 3\n", 0o755},
		{"first/garbage", "\x01\x02\x03", 0o755},
		{"first/lost", "#!/nowhere/interpreter\n", 0o755},
		{"first/directory/file", "", 0o644},
		{"here", "#!/bin/sh\nexit 4\n", 0o755},
	} {
		path := filepath.Join(dir, file.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(file.content), file.mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestProgramIsLookedUpAsExecvpDoes(t *testing.T) {
	const unset = "unset"
	dir := programs(t)
	for name, test := range map[string]struct {
		path    string
		program string
		code    int
		stderr  string
	}{
		"a path is taken as it is":                         {"/nowhere", filepath.Join(dir, "third/tool"), 3, ""},
		"a relative path starts at the working directory":  {"/nowhere", "third/tool", 3, ""},
		"a path that is not there":                         {"/bin", "./none", 127, `exec: "./none": no such file or directory`},
		"a path through a file":                            {"/bin", "here/none", 126, `exec: "here/none": not a directory`},
		"a path to a directory":                            {"/bin", "./first", 126, `exec: "./first": permission denied`},
		"a path to what is not executable":                 {"/bin", "first/tool", 126, `exec: "first/tool": permission denied`},
		"a name that is nowhere":                           {"first:second", "none", 127, `exec: "none": executable file not found in $PATH`},
		"no name":                                          {"first:second", "", 127, `exec: "": executable file not found in $PATH`},
		"a name of what is not executable":                 {"first", "tool", 126, `exec: "tool": permission denied`},
		"a name of a directory":                            {"first", "directory", 126, `exec: "directory": permission denied`},
		"an executable file behind one that is not":        {"first:second:third", "tool", 2, ""},
		"the first of two":                                 {dir + "/third:" + dir + "/second", "tool", 3, ""},
		"an empty entry is the working directory":          {"/nowhere::/bin", "here", 4, ""},
		"an empty PATH is the working directory":           {"", "here", 4, ""},
		"an entry of dots is relative":                     {"./first/../third", "tool", 3, ""},
		"without PATH there is a default":                  {unset, "false", 1, ""},
		"without PATH the working directory is not looked": {unset, "here", 127, `exec: "here": executable file not found in $PATH`},
		"a format that is not executable":                  {"first", "garbage", 126, `exec: "garbage": exec format error`},
		"an interpreter that is not there": {
			"first", "lost", 127,
			`exec: "lost": no such file or directory: the file is there, but not the interpreter that it names`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, settings{}, []string{test.program}, func(cmd *exec.Cmd) {
				cmd.Dir = dir
				cmd.Env = without(cmd.Env, "PATH")
				if test.path != unset {
					cmd.Env = append(cmd.Env, "PATH="+test.path)
				}
			})
			if got.code != test.code || strings.TrimSpace(got.stderr) != test.stderr {
				t.Errorf("got %d, %q; want %d, %q", got.code, got.stderr, test.code, test.stderr)
			}
		})
	}
}

func without(environment []string, name string) []string {
	var rest []string
	for _, entry := range environment {
		if !strings.HasPrefix(entry, name+"=") {
			rest = append(rest, entry)
		}
	}
	return rest
}

func TestThereIsNothingToRun(t *testing.T) {
	if got := run(t, settings{}, nil); got.code != 127 {
		t.Errorf("got %d, %q", got.code, got.stderr)
	}
}

func TestCommandInheritsWhatItShould(t *testing.T) {
	dir := t.TempDir()
	inherited := func(cmd *exec.Cmd) {
		cmd.Dir = dir
		cmd.Env = append(cmd.Env, "GREETING=hello world", "PWD="+dir)
		cmd.Stdin = strings.NewReader("from stdin\n")
		cmd.ExtraFiles = []*os.File{os.Stdin, os.Stdin}
	}
	for _, direct := range []bool{true, false} {
		got := run(t, settings{Direct: direct}, shell(`
			pwd; echo "$GREETING"; cat
			for fd in 0 1 2 3 4 5 6 7 8 9; do test -e /proc/$$/fd/$fd && echo $fd; done`), inherited)
		if want := dir + "\nhello world\nfrom stdin\n0\n1\n2\n"; got.stdout != want {
			t.Errorf("got %q, want %q; stderr %q", got.stdout, want, got.stderr)
		}
	}
}

func TestLimitOfOpenFilesIsTheOneThatThereWas(t *testing.T) {
	got := run(t, settings{}, shell("ulimit -Sn"), func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"/bin/sh", "-c", `ulimit -Sn 123; exec /proc/$PPID/exe "$@"`, "sh"}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
	})
	if got.stdout != "123\n" {
		t.Errorf("got %q, %q", got.stdout, got.stderr)
	}
}
