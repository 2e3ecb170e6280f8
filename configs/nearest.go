package configs

import "strings"

// nearest returns the word that s is most likely a misspelling of: one slip of
// a finger for every three letters, three at most.
func nearest[T ~string](s string, words []T) (T, bool) {
	var best T
	least := min(len(s)/3, 3) + 1
	if len(s) > 64 {
		return best, false
	}
	for _, w := range words {
		if n := slips(strings.ToLower(s), strings.ToLower(string(w))); n < least {
			best, least = w, n
		}
	}
	return best, best != ""
}

// slips counts the letters that were added, lost, changed or swapped with
// their neighbour between a and b.
func slips(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			changed := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				changed++
			}
			rows[i][j] = min(changed, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
