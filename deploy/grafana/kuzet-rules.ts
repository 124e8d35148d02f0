import type { Checked } from "./dashboard.d.ts";
export default {
 "annotations": {
  "list": []
 },
 "description": "What each rule matches.",
 "editable": false,
 "fiscalYearStartMonth": 0,
 "graphTooltip": 1,
 "id": null,
 "links": [
  {
   "asDropdown": true,
   "icon": "external link",
   "includeVars": true,
   "keepTime": true,
   "tags": [
    "kuzet"
   ],
   "targetBlank": false,
   "title": "kuzet",
   "tooltip": "The other dashboards",
   "type": "dashboards",
   "url": ""
  }
 ],
 "liveNow": false,
 "panels": [
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Matches of enforced rules in the range that is looked at.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "thresholds"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "short",
     "decimals": 0
    },
    "overrides": []
   },
   "gridPos": {
    "h": 4,
    "w": 6,
    "x": 0,
    "y": 0
   },
   "id": 1,
   "options": {
    "colorMode": "value",
    "graphMode": "area",
    "justifyMode": "auto",
    "orientation": "auto",
    "percentChangeColorMode": "standard",
    "reduceOptions": {
     "calcs": [
      "lastNotNull"
     ],
     "fields": "",
     "values": false
    },
    "showPercentChange": false,
    "textMode": "auto",
    "wideLayout": true
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum (increase(kuzet_matches_total{job=\"$job\", instance=~\"$instance\", mode=\"enforce\", rule=~\"$rule\"}[$__range]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Matches",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Matches of rules that only watch, in the range that is looked at.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "thresholds"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "short",
     "decimals": 0
    },
    "overrides": []
   },
   "gridPos": {
    "h": 4,
    "w": 6,
    "x": 6,
    "y": 0
   },
   "id": 2,
   "options": {
    "colorMode": "value",
    "graphMode": "area",
    "justifyMode": "auto",
    "orientation": "auto",
    "percentChangeColorMode": "standard",
    "reduceOptions": {
     "calcs": [
      "lastNotNull"
     ],
     "fields": "",
     "values": false
    },
    "showPercentChange": false,
    "textMode": "auto",
    "wideLayout": true
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum (increase(kuzet_matches_total{job=\"$job\", instance=~\"$instance\", mode=\"shadow\", rule=~\"$rule\"}[$__range]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Matches in shadow",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Whether the last load of changed rules was accepted everywhere.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "thresholds"
     },
     "mappings": [
      {
       "type": "value",
       "options": {
        "0": {
         "text": "refused"
        },
        "1": {
         "text": "accepted"
        }
       }
      }
     ],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "red",
        "value": null
       },
       {
        "color": "green",
        "value": 1
       }
      ]
     },
     "unit": "none"
    },
    "overrides": []
   },
   "gridPos": {
    "h": 4,
    "w": 6,
    "x": 12,
    "y": 0
   },
   "id": 3,
   "options": {
    "colorMode": "value",
    "graphMode": "area",
    "justifyMode": "auto",
    "orientation": "auto",
    "percentChangeColorMode": "standard",
    "reduceOptions": {
     "calcs": [
      "lastNotNull"
     ],
     "fields": "",
     "values": false
    },
    "showPercentChange": false,
    "textMode": "auto",
    "wideLayout": true
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "min(kuzet_rules_last_load_successful{job=\"$job\", instance=~\"$instance\"})",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Last load of rules",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "How many different rule sets decide.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "thresholds"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "red",
        "value": null
       },
       {
        "color": "green",
        "value": 1
       },
       {
        "color": "red",
        "value": 2
       }
      ]
     },
     "unit": "none"
    },
    "overrides": []
   },
   "gridPos": {
    "h": 4,
    "w": 6,
    "x": 18,
    "y": 0
   },
   "id": 4,
   "options": {
    "colorMode": "value",
    "graphMode": "area",
    "justifyMode": "auto",
    "orientation": "auto",
    "percentChangeColorMode": "standard",
    "reduceOptions": {
     "calcs": [
      "lastNotNull"
     ],
     "fields": "",
     "values": false
    },
    "showPercentChange": false,
    "textMode": "auto",
    "wideLayout": true
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "count(count by (ruleset) (kuzet_ruleset_info{job=\"$job\", instance=~\"$instance\"} == 1))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Rule sets in force",
   "type": "stat"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Matches per second, by rule.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "ops",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 10,
    "w": 12,
    "x": 0,
    "y": 4
   },
   "id": 5,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum by (rule) (rate(kuzet_matches_total{job=\"$job\", instance=~\"$instance\", mode=\"enforce\", rule=~\"$rule\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{rule}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Matches of enforced rules",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Matches per second of rules that only watch: they change no verdict.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "ops",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 10,
    "w": 12,
    "x": 12,
    "y": 4
   },
   "id": 6,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum by (rule) (rate(kuzet_matches_total{job=\"$job\", instance=~\"$instance\", mode=\"shadow\", rule=~\"$rule\"}[$__rate_interval]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{rule}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Matches of rules in shadow",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Which part of all operations a rule matches, enforced or not.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "percentunit",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 10,
    "w": 12,
    "x": 0,
    "y": 14
   },
   "id": 7,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "topk(10, sum by (rule) (rate(kuzet_matches_total{job=\"$job\", instance=~\"$instance\", rule=~\"$rule\"}[$__rate_interval])) / on () group_left () sum (rate(kuzet_operations_total{job=\"$job\", instance=~\"$instance\"}[$__rate_interval])))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{rule}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Share of the operations, ten highest",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "How many times as often as before a rule matches; `Compared with` says how long before. Only rules that matched then.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "none",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 10,
    "w": 12,
    "x": 12,
    "y": 14
   },
   "id": 8,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum by (rule) (rate(kuzet_matches_total{job=\"$job\", instance=~\"$instance\", rule=~\"$rule\"}[30m])) / (sum by (rule) (rate(kuzet_matches_total{job=\"$job\", instance=~\"$instance\", rule=~\"$rule\"}[30m] offset $before)) > 0)",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{rule}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Compared with before",
   "type": "timeseries"
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Matches in the range that is looked at. 0: the rule is loaded and silent.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "none",
     "custom": {
      "align": "auto",
      "cellOptions": {
       "type": "auto"
      },
      "filterable": true,
      "inspect": false
     },
     "decimals": 0
    },
    "overrides": []
   },
   "gridPos": {
    "h": 12,
    "w": 12,
    "x": 0,
    "y": 24
   },
   "id": 9,
   "options": {
    "cellHeight": "sm",
    "showHeader": true,
    "sortBy": [
     {
      "desc": true,
      "displayName": "Matches"
     }
    ]
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum by (rule, mode) (increase(kuzet_matches_total{job=\"$job\", instance=~\"$instance\", rule=~\"$rule\"}[$__range]))",
     "format": "table",
     "instant": true,
     "legendFormat": "",
     "range": false,
     "refId": "A"
    }
   ],
   "title": "Matches by rule",
   "type": "table",
   "transformations": [
    {
     "id": "organize",
     "options": {
      "excludeByName": {
       "Time": true
      },
      "renameByName": {
       "Value": "Matches"
      }
     }
    }
   ]
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Which rule set decides where.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "none",
     "custom": {
      "align": "auto",
      "cellOptions": {
       "type": "auto"
      },
      "filterable": true,
      "inspect": false
     },
     "decimals": 0
    },
    "overrides": []
   },
   "gridPos": {
    "h": 12,
    "w": 12,
    "x": 12,
    "y": 24
   },
   "id": 10,
   "options": {
    "cellHeight": "sm",
    "showHeader": true,
    "sortBy": [
     {
      "desc": true,
      "displayName": "In force"
     }
    ]
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "kuzet_ruleset_info{job=\"$job\", instance=~\"$instance\"}",
     "format": "table",
     "instant": true,
     "legendFormat": "",
     "range": false,
     "refId": "A"
    }
   ],
   "title": "Rule sets",
   "type": "table",
   "transformations": [
    {
     "id": "organize",
     "options": {
      "excludeByName": {
       "Time": true,
       "__name__": true,
       "job": true
      },
      "renameByName": {
       "Value": "In force"
      }
     }
    }
   ]
  },
  {
   "datasource": {
    "type": "prometheus",
    "uid": "${datasource}"
   },
   "description": "Loads of changed rules in ten minutes, by result. Refused ones change nothing.",
   "fieldConfig": {
    "defaults": {
     "color": {
      "mode": "palette-classic"
     },
     "mappings": [],
     "min": 0,
     "noValue": "none",
     "thresholds": {
      "mode": "absolute",
      "steps": [
       {
        "color": "green",
        "value": null
       }
      ]
     },
     "unit": "none",
     "custom": {
      "drawStyle": "line",
      "fillOpacity": 8,
      "lineInterpolation": "linear",
      "lineWidth": 1,
      "showPoints": "never",
      "spanNulls": false,
      "stacking": {
       "group": "A",
       "mode": "none"
      }
     }
    },
    "overrides": []
   },
   "gridPos": {
    "h": 6,
    "w": 24,
    "x": 0,
    "y": 36
   },
   "id": 11,
   "options": {
    "legend": {
     "calcs": [
      "mean",
      "max",
      "lastNotNull"
     ],
     "displayMode": "table",
     "placement": "bottom",
     "showLegend": true
    },
    "tooltip": {
     "mode": "multi",
     "sort": "desc"
    }
   },
   "targets": [
    {
     "datasource": {
      "type": "prometheus",
      "uid": "${datasource}"
     },
     "editorMode": "code",
     "expr": "sum by (result) (increase(kuzet_rule_reloads_total{job=\"$job\", instance=~\"$instance\"}[10m]))",
     "format": "time_series",
     "instant": false,
     "legendFormat": "{{result}}",
     "range": true,
     "refId": "A"
    }
   ],
   "title": "Loads of rules",
   "type": "timeseries"
  }
 ],
 "refresh": "30s",
 "schemaVersion": 42,
 "tags": [
  "kuzet"
 ],
 "templating": {
  "list": [
   {
    "current": {
     "selected": false,
     "text": "Prometheus",
     "value": "prometheus"
    },
    "description": "The Prometheus that scrapes kuzet",
    "hide": 0,
    "includeAll": false,
    "label": "Data source",
    "multi": false,
    "name": "datasource",
    "query": "prometheus",
    "refresh": 1,
    "type": "datasource"
   },
   {
    "datasource": {
     "type": "prometheus",
     "uid": "${datasource}"
    },
    "description": "The scrape job of kuzet",
    "hide": 0,
    "includeAll": false,
    "label": "Job",
    "multi": false,
    "name": "job",
    "query": {
     "query": "label_values(kuzet_build_info, job)",
     "refId": "variable-job"
    },
    "refresh": 2,
    "sort": 1,
    "type": "query",
    "current": {
     "selected": true,
     "text": "kuzet",
     "value": "kuzet"
    }
   },
   {
    "datasource": {
     "type": "prometheus",
     "uid": "${datasource}"
    },
    "description": "Instances of kuzet",
    "hide": 0,
    "includeAll": true,
    "label": "Instance",
    "multi": true,
    "name": "instance",
    "query": {
     "query": "label_values(kuzet_build_info{job=\"$job\"}, instance)",
     "refId": "variable-instance"
    },
    "refresh": 2,
    "sort": 1,
    "type": "query",
    "current": {
     "selected": true,
     "text": [
      "All"
     ],
     "value": [
      "$__all"
     ]
    },
    "allValue": ".*"
   },
   {
    "datasource": {
     "type": "prometheus",
     "uid": "${datasource}"
    },
    "description": "Rules",
    "hide": 0,
    "includeAll": true,
    "label": "Rule",
    "multi": true,
    "name": "rule",
    "query": {
     "query": "label_values(kuzet_matches_total{job=\"$job\"}, rule)",
     "refId": "variable-rule"
    },
    "refresh": 2,
    "sort": 1,
    "type": "query",
    "current": {
     "selected": true,
     "text": [
      "All"
     ],
     "value": [
      "$__all"
     ]
    },
    "allValue": ".*"
   },
   {
    "current": {
     "selected": true,
     "text": "1h",
     "value": "1h"
    },
    "description": "What to compare with",
    "hide": 0,
    "includeAll": false,
    "label": "Compared with",
    "multi": false,
    "name": "before",
    "options": [
     {
      "selected": true,
      "text": "1h",
      "value": "1h"
     },
     {
      "selected": false,
      "text": "1d",
      "value": "1d"
     },
     {
      "selected": false,
      "text": "7d",
      "value": "7d"
     }
    ],
    "query": "1h,1d,7d",
    "type": "custom"
   }
  ]
 },
 "time": {
  "from": "now-3h",
  "to": "now"
 },
 "timepicker": {},
 "timezone": "browser",
 "title": "kuzet: rules",
 "uid": "kuzet-rules",
 "version": 1
} satisfies Checked;
