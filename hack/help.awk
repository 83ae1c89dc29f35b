# Prints the targets of a Makefile: "##@ Section" lines, and the "## description" of each target.
BEGIN { FS = ":[^#]*## "; print "Usage: make TARGET" }
/^##@ / { printf "\n%s\n", substr($0, 5) }
/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $1, $2 }
