; Installer for Windows (Inno Setup 6), for one user and without an administrator.  packaging/build.py calls
;   ISCC /DVersion=... /DBundle=FOLDER /DTarget=FOLDER /DIcon=FILE packaging\windows\distill.iss
; To sign it, set DISTILL_SIGNTOOL to a command with $f for the file, for instance
;   signtool sign /fd sha256 /tr TIMESTAMP-SERVER /td sha256 /a $f

#define SignTool GetEnv("DISTILL_SIGNTOOL")

[Setup]
; Never change the id: by it Windows knows that a newer version replaces this one.
AppId={{7B1D8A56-52B7-4C1B-9C0E-6E6E3B0C9D41}
AppName=Distill
AppVersion={#Version}
AppVerName=Distill {#Version}
AppPublisher=The authors of Distill
DefaultDirName={autopf}\Distill
DefaultGroupName=Distill
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
ChangesAssociations=yes
ChangesEnvironment=yes
Compression=lzma2
SolidCompression=yes
LZMANumBlockThreads=2
WizardStyle=modern
SetupIconFile={#Icon}
UninstallDisplayIcon={app}\distill-gui.exe
UninstallDisplayName=Distill
OutputDir={#Target}
OutputBaseFilename=distill-{#Version}-windows
CloseApplications=yes
#if SignTool != ""
SignTool=distill {#SignTool}
SignedUninstaller=yes
#endif

[Tasks]
Name: desktopicon; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: path; Description: "Add the distill command to the search path"; Flags: unchecked

[InstallDelete]
; A library of an older version that is left behind can be loaded in place of the new one.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Bundle}\*"; DestDir: "{app}"; Flags: recursesubdirs createallsubdirs ignoreversion

[Icons]
Name: "{group}\Distill"; Filename: "{app}\distill-gui.exe"
Name: "{autodesktop}\Distill"; Filename: "{app}\distill-gui.exe"; Tasks: desktopicon

[Registry]
; HKA is the user's own part of the registry, unless an administrator installs for everybody.
Root: HKA; Subkey: "Software\Classes\.distill\OpenWithProgids"; ValueType: string; ValueName: "Distill.Model"; ValueData: ""; Flags: uninsdeletevalue
Root: HKA; Subkey: "Software\Classes\Distill.Model"; ValueType: string; ValueData: "Distill model"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Distill.Model\DefaultIcon"; ValueType: string; ValueData: "{app}\distill-gui.exe,0"
Root: HKA; Subkey: "Software\Classes\Distill.Model\shell\open\command"; ValueType: string; ValueData: """{app}\distill-gui.exe"" ""%1"""
Root: HKCU; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: NeedsPath

[Run]
Filename: "{app}\distill-gui.exe"; Description: "{cm:LaunchProgram,Distill}"; Flags: nowait postinstall skipifsilent

[Code]
function NeedsPath(): Boolean;
var
  Value: string;
begin
  if not RegQueryStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Value) then
    Value := '';
  Result := Pos(';' + Uppercase(ExpandConstant('{app}')) + ';', ';' + Uppercase(Value) + ';') = 0;
end;

procedure CurUninstallStepChanged(Step: TUninstallStep);
var
  Value, Folder: string;
  At: Integer;
begin
  if Step <> usPostUninstall then
    exit;
  if not RegQueryStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Value) then
    exit;
  Folder := ';' + ExpandConstant('{app}');
  At := Pos(Uppercase(Folder), Uppercase(Value));
  if At > 0 then
  begin
    Delete(Value, At, Length(Folder));
    RegWriteExpandStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Value);
  end;
end;
