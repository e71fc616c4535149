/* one */ plain:::go /* two */
/ arg0 /* four */ / /* five */ { /* six */ }
