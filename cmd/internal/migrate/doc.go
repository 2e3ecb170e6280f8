// Package migrate makes a configuration of lqproxy from what stands on a
// machine today: an nginx ([NGINX]), or the rules of firewalld
// ([Firewalld], [FirewalldFile]).
//
// Nothing is guessed silently. An import is a [Draft]: keys that differ from
// lqproxy's defaults, and a [Note] for all that has no counterpart or changes
// its meaning, each with the file and the line that it is from. A source that
// package configs refuses is left out, with its reason beside it.
//
// An nginx passes in this order:
//
//  1. nginx_read.go reads the file and all that it includes into one tree;
//  2. nginx_sites.go finds the servers that forward to somewhere, and
//     nginx_choose.go the one that this is about;
//  3. nginx_force.go finds out which directives are in force in its locations,
//     as nginx inherits them;
//  4. nginx_rules.go says for each of them what becomes of it.
//
// The package knows no language: package words says what a note is about.
package migrate
