package process

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

func TestParseStat(t *testing.T) {
	const tail = " 1 7 7 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 9 0 4711 1000 200"
	cases := map[string]struct {
		stat string
		want uint64
		gone bool
		bad  bool
	}{
		"running":             {stat: "7 (etcd) S" + tail, want: 4711},
		"name with a space":   {stat: "7 (a b) R" + tail, want: 4711},
		"name with a bracket": {stat: "7 (a) S 1) S" + tail, want: 4711},
		"zombie":              {stat: "7 (etcd) Z" + tail, gone: true},
		"cut short":           {stat: "7 (etcd) S 1 7", bad: true},
		"empty":               {stat: "", bad: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat([]byte(c.stat))
			if errors.Is(err, errGone) != c.gone || (err != nil) != (c.gone || c.bad) {
				t.Fatalf("unexpected error %v", err)
			}
			if got != c.want {
				t.Errorf("start time %d, want %d", got, c.want)
			}
		})
	}
}

func TestAliveTellsARecycledPidApart(t *testing.T) {
	me, err := Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !me.Alive() {
		t.Error("this process is not alive")
	}
	other := me
	other.StartTime++
	if other.Alive() {
		t.Error("a process that started at another time passes for this one")
	}
	rebooted := me
	rebooted.BootID = "another"
	if rebooted.Alive() {
		t.Error("a process from before a reboot passes for this one")
	}
}

func TestAnEndedProcessIsNotAliveEvenBeforeItIsCollected(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := Kill(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if id.Alive() {
		t.Error("alive after SIGKILL")
	}
	_ = cmd.Wait()
}
