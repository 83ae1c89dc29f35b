package alerts

import (
	"os"
	"strings"
	"testing"
	"time"
)

// hours of what Prometheus would have scraped, once a minute.
const lasts = 8 * time.Hour

// behavior is what an alert does over series in the notation of Prometheus' own tests: 0x9 is ten zeros, 1+2x3 is 1 3 5 7, _ is no sample.
type behavior struct {
	fires string        // the series over which it fires
	from  time.Duration // when it does so for the first time
	says  string        // what it then says first
	quiet string        // the series over which it never does
}

const (
	operator = `job="testrun-controller-manager-metrics", pod="a"`
	standby  = `job="testrun-controller-manager-metrics", pod="b"`
	server   = `job="testrun-server", pod="s"`
	jobtable = `job="testrun-jobtable", namespace="shop", pod="j"`
	another  = `job="testrun-jobtable", namespace="another", pod="j"`
)

var behaviors = map[string]behavior{
	"TestRunOperatorDown": {
		fires: `up{` + operator + `} 1x60 0x420`, from: 66 * time.Minute, says: "No operator of TestRun can be reached.",
		quiet: `up{` + operator + `} 1x60 0x420
			up{` + standby + `} 0x60 1x420`,
	},
	"TestRunNoLeader": {
		fires: `leader_election_master_status{` + operator + `, name="manager.testrun.dev"} 1x60 0x420
			leader_election_master_status{` + standby + `, name="manager.testrun.dev"} 0x480`,
		from: 66 * time.Minute, says: "Operators of TestRun run, and none of them leads.",
		// One leads after the other, with a minute in which nobody does. Without leader election there is no such metric.
		quiet: `leader_election_master_status{` + operator + `, name="manager.testrun.dev"} 1x60 0x420
			leader_election_master_status{` + standby + `, name="manager.testrun.dev"} 0x61 1x419`,
	},
	"TestRunReconcileErrors": {
		fires: `controller_runtime_reconcile_errors_total{` + operator + `, controller="testrun"} 0x60 0+30x420`,
		from:  79 * time.Minute, says: "The controller testrun of TestRun fails again and again.",
		quiet: `controller_runtime_reconcile_errors_total{` + operator + `, controller="testrun"} 0x60 0+5x420
			controller_runtime_reconcile_errors_total{job="another-operator", controller="testrun"} 0+100x480`,
	},
	"TestRunQueueStopped": {
		fires: `testrun_queue_pending{` + operator + `, queue="web"} 0x60 4x420
			testrun_queue_running{` + operator + `, queue="web"} 0x480`,
		from: 76 * time.Minute, says: "Runs wait in the queue web, and none runs.",
		quiet: `testrun_queue_pending{` + operator + `, queue="web"} 0x60 4x420
			testrun_queue_running{` + operator + `, queue="web"} 0x60 1x420
			testrun_queue_running{` + standby + `, queue="web"} 0x480
			testrun_queue_pending{` + operator + `, queue="empty"} 0x480
			testrun_queue_running{` + operator + `, queue="empty"} 0x480`,
	},
	"TestRunWaitsLong": {
		fires: `testrun_queue_oldest_pending_seconds{` + operator + `, queue="web"} 0+60x480`,
		from:  66 * time.Minute, says: "A run has waited in the queue web for 1h 6m 0s.",
		quiet: `testrun_queue_oldest_pending_seconds{` + operator + `, queue="web"} 3000x480`,
	},
	"TestRunManyErrors": {
		fires: `testrun_runs_finished_total{` + operator + `, verdict="Error"} 0x60 0+1x420
			testrun_runs_finished_total{` + operator + `, verdict="Passed"} 0x60 0+3x420`,
		from: 69 * time.Minute, says: "25% of the runs of the last hour ended as Error.",
		// Many fail, few are errors; and a few errors at night are not yet many.
		quiet: `testrun_runs_finished_total{` + operator + `, verdict="Error"} 0x60 0+0.1x420
			testrun_runs_finished_total{` + operator + `, verdict="Failed"} 0x60 0+5x420`,
	},
	"TestRunRunnerImageMissing": {
		fires: `testrun_runner_image_pull_failures_total{` + operator + `} 0x60 1x420`,
		from:  61 * time.Minute, says: "The image of the runner cannot be pulled.",
		quiet: `testrun_runner_image_pull_failures_total{` + operator + `} 7x480`,
	},
	"TestRunArchiveUnknown": {
		fires: `testrun_archive_status_known{` + operator + `, key="pins"} 1x60 0x420
			testrun_archive_status_known{` + operator + `, key="watermark"} 1x480`,
		from: 76 * time.Minute, says: "The operator of TestRun hears nothing of its archive (pins).",
		quiet: `testrun_archive_status_known{` + operator + `, key="pins"} 1x480`,
	},
	"TestRunRetentionWaits": {
		fires: `testrun_retention_waiting_for_archive{` + operator + `} 0x60 3x420`,
		from:  421 * time.Minute, says: "Finished runs that are due have waited for the archive for six hours.",
		quiet: `testrun_retention_waiting_for_archive{` + operator + `} 0x60 3x200 0x10 3x200`,
	},
	"TestRunDeletedUnarchived": {
		fires: `testrun_runs_deleted_unarchived_total{` + operator + `} 0x60 2x420`,
		from:  61 * time.Minute, says: "Finished runs were deleted, and the archive does not have them.",
		quiet: `testrun_runs_deleted_unarchived_total{` + operator + `} 5x480`,
	},
	"TestRunServerDown": {
		fires: `up{` + server + `} 1x60 _x420`, from: 75 * time.Minute, says: "The server of TestRun cannot be reached.",
		quiet: `up{` + server + `} 1x60 0x5 1x415`,
	},
	"TestRunArchiveReadOnly": {
		fires: `testrun_archive_read_only{` + server + `} 0x60 1x420`, from: 66 * time.Minute, says: "The archive of TestRun can store nothing.",
		quiet: `testrun_archive_read_only{` + server + `} 0x60 1x3 0x417`,
	},
	"TestRunArchiveBehind": {
		fires: `testrun_archive_watch_lag_seconds{` + server + `} 0x60 0+60x420`, from: 72 * time.Minute, says: "The archive of TestRun is 11m 0s behind.",
		quiet: `testrun_archive_watch_lag_seconds{` + server + `} 250x480`,
	},
	"TestRunArchiveOutputMissing": {
		fires: `testrun_archive_attempts_with_missing_output_total{` + server + `} 0x60 1x420`,
		from:  61 * time.Minute, says: "Of some tests the archive does not have all of the output.",
		quiet: `testrun_archive_attempts_with_missing_output_total{` + server + `} 3x480`,
	},
	"TestRunArchivePushesRefused": {
		fires: `testrun_archive_pushes_refused_total{` + server + `, reason="busy"} 0x60 0+2x420`,
		from:  72 * time.Minute, says: "The archive of TestRun refuses what tests push (busy).",
		quiet: `testrun_archive_pushes_refused_total{` + server + `, reason="busy"} 0+0.5x480`,
	},
	"TestRunArchiveRetentionFails": {
		fires: `testrun_archive_retention_errors_total{` + server + `} 0x60 1 2 3 4 4x420`,
		from:  64 * time.Minute, says: "The archive of TestRun fails to delete what is due.",
		quiet: `testrun_archive_retention_errors_total{` + server + `} 0x60 1x420`,
	},
	"TestRunJobTableProgramDown": {
		// It fails for six minutes, and then is gone.
		fires: `up{` + jobtable + `} 1x60 0x6 _x420
			up{` + another + `} 1x480`,
		from: 71 * time.Minute, says: "The program jobtable in namespace shop cannot be reached.",
		quiet: `up{` + jobtable + `} 1x60 0x9 1x411`,
	},
	"TestRunJobTableNotReady": {
		fires: `testrun_jobtable_ready{` + jobtable + `, jobtable="catalyst"} 1x60 0x420
			testrun_jobtable_ready{` + jobtable + `, jobtable="other"} 1x480`,
		from: 76 * time.Minute, says: "Rows of the job table shop/catalyst do not become runs.",
		quiet: `testrun_jobtable_ready{` + jobtable + `, jobtable="catalyst"} 1x60 0x14 1x406
			testrun_jobtable_ready{` + another + `, jobtable="catalyst"} 0x480`,
	},
	"TestRunJobTableLags": {
		fires: `testrun_jobtable_lag_seconds{` + jobtable + `, jobtable="catalyst"} 0+60x480`,
		from:  66 * time.Minute, says: "A row of the job table shop/catalyst has been pending for 1h 6m 0s.",
		quiet: `testrun_jobtable_lag_seconds{` + jobtable + `, jobtable="catalyst"} 3000x480
			testrun_jobtable_lag_seconds{` + another + `, jobtable="catalyst"} 0+60x480`,
	},
	"TestRunJobTableManyErrors": {
		fires: `testrun_jobtable_rows_ended_total{` + jobtable + `, jobtable="catalyst", verdict="Error"} 0x60 0+1x420
			testrun_jobtable_rows_ended_total{` + jobtable + `, jobtable="catalyst", verdict="Passed"} 0x60 0+3x420`,
		from: 69 * time.Minute, says: "25% of the rows of the job table shop/catalyst ended as Error in the last hour.",
		quiet: `testrun_jobtable_rows_ended_total{` + jobtable + `, jobtable="catalyst", verdict="Error"} 0x60 0+0.1x420
			testrun_jobtable_rows_ended_total{` + jobtable + `, jobtable="catalyst", verdict="Failed"} 0x60 0+5x420
			testrun_jobtable_rows_ended_total{` + another + `, jobtable="catalyst", verdict="Error"} 0+5x480`,
	},
}

func TestEachAlertFiresWhenItShould(t *testing.T) {
	for _, rule := range alertsOf(t) {
		t.Run(rule.Alert, func(t *testing.T) {
			want, known := behaviors[rule.Alert]
			if !known {
				t.Fatal("nobody has tried when it fires: describe it in behaviors")
			}
			fired, says := firstOf(t, rule, want.fires)
			if fired != want.from {
				t.Errorf("it fires for the first time after %s, want %s", fired, want.from)
			}
			if says != want.says {
				t.Errorf("it says %q, want %q", says, want.says)
			}
			if fired, says := firstOf(t, rule, want.quiet); fired >= 0 {
				t.Errorf("it fires after %s where it should not, and says %q", fired, says)
			}
		})
	}
}

// Without any series only those fire that say that a program is away.
func TestWhereNothingIsMeasuredOnlyTheProgramsAreMissed(t *testing.T) {
	for _, rule := range alertsOf(t) {
		fired, _ := firstOf(t, rule, `something_else{job="another"} 1x480`)
		if missed := strings.HasSuffix(rule.Alert, "Down"); missed != (fired >= 0) {
			t.Errorf("%s fires: %t, want %t", rule.Alert, fired >= 0, missed)
		}
	}
}

// Each alert has a section that says what to do.
func TestEachAlertHasItsRunbook(t *testing.T) {
	page, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	found := alertsOf(t)
	for _, rule := range found {
		if !strings.Contains(string(page), "\n### "+rule.Alert+"\n") {
			t.Errorf("docs/alerts.md says nothing of %s", rule.Alert)
		}
		if want := "https://github.com/testrun-dev/testrun/blob/main/docs/alerts.md#" + strings.ToLower(rule.Alert); rule.Annotations["runbook_url"] != want {
			t.Errorf("%s has the runbook %q, want %q", rule.Alert, rule.Annotations["runbook_url"], want)
		}
		for _, name := range []string{"summary", "description"} {
			if rule.Annotations[name] == "" {
				t.Errorf("%s has no %s", rule.Alert, name)
			}
		}
		if severity := rule.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s has the severity %q", rule.Alert, severity)
		}
	}
	if sections := strings.Count(string(page), "\n### TestRun"); sections != len(found) {
		t.Errorf("docs/alerts.md has %d sections of alerts, and there are %d alerts", sections, len(found))
	}
}
