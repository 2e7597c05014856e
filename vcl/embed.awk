# embed.awk - a text file as a C array of char.
#
#   awk -v name=NAME [-v folder=DIR] -f embed.awk FILE
#
# With a folder, a line that includes a "file" which is in that folder is
# replaced by that file's text, so that the array needs no other file.

function put(line) {
	gsub(/\\/, "&&", line)
	gsub(/"/, "\\\"", line)
	gsub(/\?/, "\\?", line)
	gsub(/\t/, "\\t", line)
	printf("\t\"%s\\n\"\n", line)
}

function put_file(path,    line) {
	while ((getline line <path) > 0)
		put_line(line)
	close(path)
}

function put_line(line,    file) {
	if (folder != "" && line ~ /^[ \t]*#[ \t]*include[ \t]*"/) {
		file = line
		sub(/^[^"]*"/, "", file)
		sub(/".*$/, "", file)
		put_file(folder "/" file)
	} else
		put(line)
}

BEGIN {
	printf("/* Generated from %s. */\n", ARGV[1])
	printf("extern const char %s[];\nconst char %s[] =\n", name, name)
}

{ put_line($0) }

END { print "\t\"\";" }
