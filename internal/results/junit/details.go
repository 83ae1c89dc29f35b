package junit

import (
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

func (p *parser) takeProperty(told results.Property) {
	last := len(p.cases) - 1
	switch {
	case last < 0:
		if told.Name == "go.version" && len(p.suites) > 0 {
			p.suites[len(p.suites)-1].golang = true
		}
	case p.file.details:
		details := p.cases[last].Details
		if len(details.Properties) < maxProperties {
			details.Properties = append(details.Properties, told)
		}
		if isAttachment(told.Name) {
			p.attach(told.Value)
		}
	}
}

// isAttachment says whether a property of that name gives the path of a file.
func isAttachment(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "attachment") || name == "testrail_attachment"
}

func (p *parser) attach(path string) {
	details := p.cases[len(p.cases)-1].Details
	if path = strings.TrimSpace(path); path != "" && len(details.Attachments) < maxAttachments {
		details.Attachments = append(details.Attachments, path)
	}
}

// attachmentMark stands around the path of a file in the output of a case, as Jenkins and GitLab read it.
const attachmentMark = "[[ATTACHMENT|"

func (p *parser) finishOutput() {
	details := p.cases[len(p.cases)-1].Details
	details.Output = string(p.output)
	for _, rest := range strings.Split(details.Output, attachmentMark)[1:] {
		if path, _, found := strings.Cut(rest, "]]"); found {
			p.attach(path)
		}
	}
}
