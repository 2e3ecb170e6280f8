// Package packaging has the acceptance tests of the packages: they are built
// twice, as two versions, and installed, upgraded, taken back and removed on a
// Debian that systemd has booted.
//
// What makes the packages is the command in build; systemd holds the units,
// scripts what runs on the user's host, deb and rpm what concerns one format.
package packaging
